"use strict";

const exit = document.getElementById("exit");

/** Whether a click asks for this tab, and not for another one. */
function isPlain(event) {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

function leave() {
  // What was on the screen goes at once, however long the other site takes, and with it the title in the history.
  document.title = exit.hostname;
  document.body.replaceChildren();
  location.replace(exit.href);
}

exit.addEventListener("click", (event) => {
  if (isPlain(event)) {
    event.preventDefault();
    leave();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") leave();
});
document.getElementById("stays").hidden = true;
document.getElementById("replaced").hidden = false;

// Another language is the same page: it takes its place, so that "back" leads to none of them after leaving.
for (const link of document.querySelectorAll("[data-instead]")) {
  link.addEventListener("click", (event) => {
    if (isPlain(event)) {
      event.preventDefault();
      location.replace(link.href);
    }
  });
}

async function copy(button) {
  const number = document.getElementById(button.dataset.copies);
  const told = document.querySelector(".told");
  try {
    await navigator.clipboard.writeText(number.textContent);
    told.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(number);
    told.textContent = button.dataset.failed;
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
