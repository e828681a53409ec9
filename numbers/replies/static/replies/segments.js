// The live count beside a reply text. All counting is done by the server, in `replies.segments`: one truth, so that the
// page, the check on saving and the invoice agree.
(() => {
  "use strict";
  const PAUSE = 300; // milliseconds without a key before the server is asked

  const watch = (box) => {
    const area = box.querySelector("textarea");
    const count = box.querySelector(".pv-count");
    const part = (name) => count.querySelector(`[data-${name}]`);
    let timer = 0;
    let asked = null;

    const show = (told) => {
      count.hidden = false;
      // Unchanged words are not written again: a screen reader would repeat them at every key.
      if (part("summary").textContent !== told.summary) part("summary").textContent = told.summary;
      part("problems").replaceChildren(
        ...told.problems.map((problem) => Object.assign(document.createElement("li"), { textContent: problem })),
      );
      part("offer").hidden = !told.cheaper;
      if (!told.cheaper) return;
      part("offer-text").textContent = told.offer;
      part("cheaper").textContent = told.cheaper;
      part("forcing").replaceChildren(
        ...told.forcing.flatMap(({ char, name, replacement }) => {
          const mark = Object.assign(document.createElement("bdi"), { textContent: char, title: name });
          return [mark, replacement === null ? "  " : ` → ${replacement || "∅"}   `];
        }),
      );
    };

    const ask = async () => {
      asked?.abort();
      asked = new AbortController();
      const body = new FormData();
      body.set("text", area.value);
      const hotline = document.querySelector("[data-hotline]")?.dataset.hotline ?? document.querySelector("[name=hotline]")?.value;
      if (hotline) body.set("hotline", hotline);
      body.set("csrfmiddlewaretoken", document.querySelector("input[name=csrfmiddlewaretoken]").value);
      try {
        const answer = await fetch(box.dataset.counted, { method: "POST", body, signal: asked.signal });
        if (answer.ok || answer.status === 413) show({ cheaper: "", forcing: [], ...(await answer.json()) });
      } catch {
        // Aborted by the next key, or no network: saving checks the same.
      }
    };

    const use = (text) => {
      area.value = text;
      area.dispatchEvent(new Event("input", { bubbles: true }));
      area.focus();
    };

    // As the sender's phone shows it: line breaks, the direction of its writing, and how long it looks there.
    const look = () => {
      const bubble = box.querySelector("[data-bubble]");
      bubble.textContent = area.value;
      bubble.parentElement.hidden = !area.value;
    };

    look();
    area.addEventListener("input", look);
    document.querySelector("select[name=hotline]")?.addEventListener("change", () => area.value && ask());
    area.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    });
    part("use").addEventListener("click", () => use(part("cheaper").textContent));
    for (const button of box.querySelectorAll("[data-use-historical]")) {
      button.addEventListener("click", () => use(button.parentElement.previousElementSibling.textContent));
    }
    if (area.value) ask();
  };

  const all = () => {
    for (const box of document.querySelectorAll("[data-counted]:not([data-watched])")) {
      box.dataset.watched = "";
      watch(box);
    }
  };
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:afterSettle", all); // in a dialog
})();
