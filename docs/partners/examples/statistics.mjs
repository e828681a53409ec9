// Figures of whole weeks, with a key.
const address = `${process.env.PARAVENT_URL}/api/v1/hotlines/${process.argv[2]}/statistics/`;
const answer = await fetch(address, { headers: { Authorization: `Bearer ${process.env.PARAVENT_KEY}` } });
const weeks = await answer.json();
if (!answer.ok) throw new Error(`${weeks.title} ${weeks.detail}`);
for (const week of weeks) console.log(`${week.monday}: ${week.senders ?? "not told"}`);
