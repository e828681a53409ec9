// The builder of the widget's tag: what is chosen is seen at once, in the box, in the tag and in the links to other
// languages.
(() => {
  "use strict";
  const form = document.getElementById("widget-look");
  const tag = document.getElementById("widget-tag");
  const box = () => document.querySelector("#widget-preview paravent-widget");
  // Values are escaped, so that none of them ends the tag.
  const bare = tag.value.replace(/ data-theme="[^"]*"/, "").replace(/ data-accent="[^"]*"/, "");

  const apply = () => {
    const theme = form.elements.theme.value;
    const own = form.elements.own.checked;
    const accent = own ? form.elements.accent.value : "";
    form.elements.accent.closest("label").hidden = !own;
    form.elements.code.value = form.elements.accent.value;
    const more = (theme && ` data-theme="${theme}"`) + (accent && ` data-accent="${accent}"`);
    tag.value = bare.replace(" defer></script>", () => `${more} defer></script>`);
    for (const link of document.querySelectorAll("[data-widget-language]")) {
      const asked = new URLSearchParams({ language: link.dataset.widgetLanguage });
      if (theme) asked.set("theme", theme);
      if (accent) asked.set("accent", accent);
      link.search = asked;
    }
    const shown = box();
    if (!shown) return;
    shown.dataset.theme = theme;
    if (accent) shown.style.setProperty("--paravent-accent", accent);
    else shown.style.removeProperty("--paravent-accent");
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
