// What leaves the page: the requests a phone and its carrier make. None of them waits for another on the server.

const PATIENCE_MS = 8000; // a carrier waits 8 s for a webhook, so this page does too

export class Problem extends Error {}

async function request(path, options) {
  return fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
}

async function answerOf(response) {
  const answer = await response.json();
  if (answer.problem) throw new Problem(answer.problem);
  if (!response.ok) throw new Error(String(response.status));
  return answer;
}

export async function sign(address, order, csrf) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": csrf };
  return answerOf(await request(address, { method: "POST", headers, body: JSON.stringify(order) }));
}

export async function state(address, hotline, phone) {
  const query = new URLSearchParams({ hotline, phone });
  return answerOf(await request(`${address}?${query}`, {}));
}

// The signed request goes out as it was signed; of a text, the answer's status is all a carrier looks at.
export async function post(signed) {
  return (await bring(signed)).status;
}

// Of a call it does what the answer says: the words it speaks, or "" where it gives the busy tone.
export async function ring(signed) {
  const response = await bring(signed);
  if (!response.ok) throw new Error(String(response.status));
  const said = new DOMParser().parseFromString(await response.text(), "application/xml");
  return said.querySelector("Response > Speak")?.textContent ?? "";
}

function bring({ path, headers, body }) {
  return request(path, { method: "POST", headers, body, credentials: "omit" });
}
