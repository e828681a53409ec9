// Which number to show now. No key is needed.
const address = `${process.env.PARAVENT_URL}/api/v1/hotlines/${process.argv[2]}/current/?language=fr`;
const answer = await fetch(address, { signal: AbortSignal.timeout(8000) });
if (!answer.ok) throw new Error((await answer.json()).detail);
const shown = await answer.json();
console.log(shown.number ?? shown.suspended?.text ?? "No number is in service.");
