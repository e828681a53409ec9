// "What happens behind": the way of the last text, step by step, as the server tells it.

const STEPS = ["signed", "stored", "decided", "sent", "delivered"];

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export class Steps {
  constructor(list, words) {
    this.words = words;
    this.rows = Object.fromEntries(STEPS.map((step) => [step, list.querySelector(`[data-step="${step}"]`)]));
    for (const row of Object.values(this.rows)) {
      const spoken = document.createElement("span");
      spoken.className = "unseen spoken";
      row.querySelector("h3").append(spoken);
    }
    this.clear();
  }

  clear() {
    for (const step of STEPS) this.#set(step, "waiting", "");
  }

  // `sending` is what this page knows of the request, `journey` what the server knows of the text; either may be missing.
  show(sending, journey) {
    const words = this.words;
    if (!sending && !journey) return this.clear();
    const stored = Boolean(journey) || Boolean(sending?.status && sending.status < 300);
    this.#set("signed", "done", sending ? fill(words.signed, { nonce: `${sending.nonce.slice(0, 6)}…` }) : "");
    if (sending?.status >= 400 && sending.status < 500) {
      this.#set("stored", "failed", fill(words.refused, { status: sending.status }));
    } else {
      const told = sending?.status ? fill(words.stored, { status: sending.status, ms: sending.ms }) : "";
      this.#set("stored", stored ? "done" : "active", told);
    }
    if (!journey) {
      this.#set("decided", stored ? "active" : "waiting", "");
      this.#set("sent", "waiting", "");
      return this.#set("delivered", "waiting", "");
    }
    this.#set("decided", "done", journey.decided);
    if (journey.disposition !== "answered") {
      this.#set("sent", "skipped", words.nothing_sent);
      return this.#set("delivered", "skipped", words.nothing_delivered);
    }
    const gone = journey.sent !== "";
    const failed = journey.ended && journey.delivered === "";
    this.#set("sent", failed ? "failed" : gone ? "done" : "active", journey.sent || this.#due(journey));
    const landed = journey.delivered !== "";
    this.#set("delivered", failed ? "skipped" : journey.ended ? "done" : gone ? "active" : "waiting", journey.delivered);
    return landed;
  }

  #due(journey) {
    if (!journey.due_at) return "";
    const seconds = Math.max(0, Math.ceil((new Date(journey.due_at) - Date.now()) / 1000));
    return seconds ? fill(this.words.due, { seconds }) : "";
  }

  #set(step, state, detail) {
    const row = this.rows[step];
    row.dataset.state = state;
    row.querySelector(".detail").textContent = detail;
    row.querySelector(".spoken").textContent = `, ${this.words[`state_${state}`]}`;
  }
}
