// What the theme's dialogs lack for keyboards and screen readers: a role and a name, the focus inside while it is open
// and back where it came from afterwards.
(() => {
  "use strict";
  const FOCUSABLE = "a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select, textarea";
  let opener = null;

  const content = () => document.getElementById("modal-content");
  const isOpen = () => content()?.querySelector("#dialog") && content().offsetParent !== null;
  const inside = () => [...content().querySelectorAll(FOCUSABLE)].filter((element) => element.offsetParent !== null);

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[hx-get]");
    if (link) opener = link;
  });

  document.addEventListener("htmx:afterSettle", () => {
    const dialog = content();
    if (!dialog?.querySelector("#dialog")) return;
    const heading = dialog.querySelector("h1");
    if (heading) heading.id = "dialog-title";
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    dialog.setAttribute("aria-labelledby", "dialog-title");
    const cross = dialog.querySelector("#dialog > .absolute");
    if (cross) cross.setAttribute("aria-hidden", "true"); // "Cancel" does the same and can be reached
    requestAnimationFrame(() => (dialog.querySelector("#dialog-form [role=alert] ~ * input, #dialog-form select, #dialog-form textarea, #dialog-form input:not([type=hidden])") ?? inside()[0])?.focus());
  });

  document.addEventListener("keydown", (event) => {
    if (!isOpen()) return;
    if (event.key === "Escape") {
      opener?.focus();
      return;
    }
    if (event.key !== "Tab") return;
    const reachable = inside();
    const [first, last] = [reachable[0], reachable[reachable.length - 1]];
    if (event.shiftKey && document.activeElement === first) {
      event.preventDefault();
      last.focus();
    } else if (!event.shiftKey && (document.activeElement === last || !content().contains(document.activeElement))) {
      event.preventDefault();
      first.focus();
    }
  });

  // "Copy" beside a value that is long and secret.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    const said = document.getElementById(`${button.dataset.copy}-said`);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = button.dataset.copied;
    } catch {
      said.textContent = button.dataset.selected; // no permission: it is selected, Ctrl+C does the rest
    }
  });

  // What the first page says about today renews itself while somebody looks at it and does nothing in it.
  const live = () => [...document.querySelectorAll("[data-live]")];
  setInterval(async () => {
    if (document.hidden || !live().length || live().some((block) => block.contains(document.activeElement))) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-By-Itself": "1" } });
      if (!answer.ok || answer.redirected) return; // signed out: the next click leads to the sign-in
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const block of live()) {
        const fresh = page.getElementById(block.id);
        if (fresh && fresh.innerHTML !== block.innerHTML) block.innerHTML = fresh.innerHTML;
      }
    } catch {
      // No network: what is shown stays, and the next time asks again.
    }
  }, 15000);

  // The theme's fields to search in a choice have no name of their own: they get that of their choice.
  const nameSearches = () => {
    for (const field of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
      const select = field.closest(".select2-container")?.previousElementSibling;
      const label = select?.id && document.querySelector(`label[for="${select.id}"]`);
      if (label) field.setAttribute("aria-label", label.textContent.trim());
    }
  };
  addEventListener("load", () => setTimeout(nameSearches));
  document.addEventListener("focusin", nameSearches);
})();
