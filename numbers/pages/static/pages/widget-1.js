// Paravent's widget, version 1: which number to give away now, on anybody's page.
//
//   data-hotline   the page's address at Paravent            data-language  fr, en, es, de, ar
//   data-number    shown as "last known" while Paravent      data-theme     light or dark; else the visitor's
//   data-name        does not answer                         data-accent    a colour: #39508f
//   data-target    CSS selector of what it goes into; else it follows the script
//
// In style sheets: paravent-widget { --paravent-accent, -text, -background, -border, -radius, -font }.
// When the number changes: a "paravent:number" event with detail { slug, number, state }, where state is
// in_service, suspended, last_known or unknown.
//
// It stores nothing, and asks nobody but Paravent. Sites pin this file by its integrity, so it never changes: another
// version has another name. It begins with a byte order mark: it is UTF-8 also on pages that are not.
(() => {
  "use strict";

  const WORDS = {
    fr: {
      lead: "À donner à la place du vôtre.",
      copy: "Copier",
      copied: "Copié.",
      select: "Copie impossible\u00a0: il reste à sélectionner le numéro.",
      call: "Appeler",
      text: "Écrire un SMS",
      save: "Enregistrer sous «\u00a0{}\u00a0»",
      how: "Comment ça marche",
      page: "Voir le numéro sur sa page",
      about: "À quoi sert ce numéro",
      trial: "Pour l’essayer\u00a0:",
      last: "Dernier numéro connu\u00a0: impossible de le vérifier en ce moment.",
      suspended: "Ce numéro n’est pas en service en ce moment.",
      unknown: "Le numéro ne peut pas être affiché en ce moment.",
      waiting: "Un instant…",
      changed: "Le numéro a changé.",
    },
    en: {
      lead: "To give away instead of yours.",
      copy: "Copy",
      copied: "Copied.",
      select: "It could not be copied: please select the number.",
      call: "Call",
      text: "Text",
      save: "Save as “{}”",
      how: "How it works",
      page: "See the number on its page",
      about: "What this number is for",
      trial: "To try it:",
      last: "Last known number: it cannot be checked at the moment.",
      suspended: "This number is not in service at the moment.",
      unknown: "The number cannot be shown at the moment.",
      waiting: "One moment…",
      changed: "The number has changed.",
    },
    es: {
      lead: "Para dar en lugar del propio.",
      copy: "Copiar",
      copied: "Copiado.",
      select: "No se pudo copiar: queda seleccionar el número.",
      call: "Llamar",
      text: "Enviar un SMS",
      save: "Guardar como «{}»",
      how: "Cómo funciona",
      page: "Ver el número en su página",
      about: "Para qué sirve este número",
      trial: "Para probarlo:",
      last: "Último número conocido: no se puede comprobar en este momento.",
      suspended: "Este número no está en servicio en este momento.",
      unknown: "El número no se puede mostrar en este momento.",
      waiting: "Un momento…",
      changed: "El número ha cambiado.",
    },
    de: {
      lead: "Zum Weitergeben statt der eigenen Nummer.",
      copy: "Kopieren",
      copied: "Kopiert.",
      select: "Kopieren war nicht möglich: bitte die Nummer markieren.",
      call: "Anrufen",
      text: "SMS schreiben",
      save: "Als „{}“ speichern",
      how: "So funktioniert es",
      page: "Die Nummer auf ihrer Seite ansehen",
      about: "Wozu diese Nummer da ist",
      trial: "Zum Ausprobieren:",
      last: "Letzte bekannte Nummer: Sie lässt sich gerade nicht prüfen.",
      suspended: "Diese Nummer ist gerade nicht in Betrieb.",
      unknown: "Die Nummer kann gerade nicht angezeigt werden.",
      waiting: "Einen Moment…",
      changed: "Die Nummer hat sich geändert.",
    },
    ar: {
      lead: "يُعطى بدلًا من رقمك.",
      copy: "نسخ",
      copied: "تم النسخ.",
      select: "تعذّر النسخ: يرجى تحديد الرقم.",
      call: "اتصال",
      text: "رسالة نصية",
      save: "حفظ باسم «{}»",
      how: "كيف يعمل",
      page: "عرض الرقم في صفحته",
      about: "ما الغرض من هذا الرقم",
      trial: "للتجربة:",
      last: "آخر رقم معروف: لا يمكن التحقق منه حاليًا.",
      suspended: "هذا الرقم خارج الخدمة حاليًا.",
      unknown: "لا يمكن عرض الرقم حاليًا.",
      waiting: "لحظة…",
      changed: "تغيّر الرقم.",
    },
  };

  const LIGHT = "--t:#1f2533;--b:#fff;--l:#d3d9e6;--a:#39508f;color-scheme:light";
  const DARK = "--t:#e9ecf3;--b:#181c27;--l:#3a4256;--a:#a3bbe1;color-scheme:dark";
  // Black or white on the accent, whichever can be read: y is its luminance, and both have 4.58 : 1 at 0.179.
  const K = "clamp(0,(.179 - y)*99999,1)";
  const FILLED = `background:var(--fill);color:color(from var(--fill) xyz-d65 calc(${K}*.95) ${K} calc(${K}*1.09))`;
  const CSS = `
:host{all:initial;display:block;max-width:26em;${LIGHT}}
:host([hidden]),[hidden]{display:none!important}
@media(prefers-color-scheme:dark){:host(:not([data-theme=light])){${DARK}}}
:host([data-theme=dark]){${DARK}}
section{--ink:var(--paravent-text,var(--t));--line:var(--paravent-border,var(--l));--fill:var(--paravent-accent,var(--a));
--round:var(--paravent-radius,12px);background:var(--paravent-background,var(--b));border:1px solid var(--line);
border-radius:var(--round);box-sizing:border-box;color:var(--ink);font:1em/1.5 var(--paravent-font,system-ui,sans-serif);
overflow-wrap:anywhere;padding:1.125em 1.25em .5em}
section.waiting{min-height:18em}
p{margin:0}
.name{font-weight:600}
.small{font-size:.875em}
.number{font-size:min(1.75em,9vw);font-variant-numeric:tabular-nums;font-weight:600;line-height:1.3;margin-top:.35em}
.number bdi{user-select:all;-webkit-user-select:all}
.note:not(:empty){border-inline-start:3px solid var(--fill);margin-top:.75em;padding-inline-start:.75em}
.row{display:flex;flex-wrap:wrap;gap:0 1em;justify-content:space-between}
.do{display:flex;flex-wrap:wrap;gap:.5em;margin-top:.75em}
.do>*{align-items:center;background:none;border:1px solid var(--fill);border-radius:calc(var(--round)*.7);box-sizing:border-box;
color:inherit;cursor:pointer;display:flex;flex:1 1 7em;font:inherit;justify-content:center;min-height:44px;padding:.4em .75em;
text-wrap:balance;text-align:center;text-decoration:none}
.do>.wide{flex-basis:100%}
.do>.main{border-width:2px;font-weight:600}
@supports(color:color(from red xyz-d65 x y z)){.do>.main{${FILLED}}@media(hover:hover){.do>:hover{${FILLED}}}}
a{color:inherit;text-underline-offset:.2em}
.trial a,.more{display:inline-block;padding-block:.85em}
.more::after{content:"\\a0\\2197"/"";display:inline-block}
[dir=rtl] .more::after{content:"\\a0\\2196"/""}
details,.foot{border-top:1px solid var(--line);margin-top:.75em}
details:not([hidden])+.foot{margin-top:0}
summary{cursor:pointer;padding-block:.65em}
details p{padding-bottom:.75em;white-space:pre-line}
:focus-visible{border-radius:4px;outline:3px solid var(--ink);outline-offset:2px}
.do>:focus-visible{border-radius:calc(var(--round)*.7)}
@media(prefers-reduced-motion:no-preference){.do>*{transition:background-color .15s,color .15s}}`;

  const SECOND = 1000;
  const SHORTEST = 60;
  const GONE = "urn:paravent:problem:not-found";
  const LONGEST = 3600;
  const TIMEOUT = 8 * SECOND;
  const PATIENCE = 2.5 * SECOND;

  const element = (tag, properties, ...inside) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...inside);
    return made;
  };

  const text = (value) => (typeof value === "string" ? value.slice(0, 4000) : "");

  const digits = (value) => {
    const bare = text(value).replace(/[\s().\/-]/g, "");
    return /^\+?[0-9]{3,15}$/.test(bare) ? bare : "";
  };

  const words = (value) => ({ text: text(value?.text), language: text(value?.language) });

  let sheet;
  const dress = (root) => {
    try {
      if (!sheet) {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(CSS);
      }
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(element("style", { textContent: CSS }));
    }
  };

  const start = (script) => {
    const given = script.dataset;
    const { origin } = new URL(script.src, location.href);
    const slug = encodeURIComponent(given.hotline);
    const wished = [given.language, script.closest("[lang]")?.lang, ...(navigator.languages || [])];
    const language = wished.map((tag) => text(tag).slice(0, 2).toLowerCase()).find((tag) => WORDS[tag]) || "fr";
    const say = WORDS[language];

    const own = (address) => {
      try {
        const url = new URL(text(address));
        return /^https?:$/.test(url.protocol) && url.origin === origin ? url.href : "";
      } catch {
        return "";
      }
    };

    // Built once and filled anew: whoever is on a button when the number changes stays on it.
    const host = element("paravent-widget");
    const name = element("bdi", { id: "name" });
    const lead = element("p", { className: "small", textContent: say.lead });
    const number = element("bdi", { dir: "ltr" });
    const international = element("bdi", { dir: "ltr" });
    const note = element("p", { className: "note small" });
    const status = element("p", { className: "small" });
    const copy = element("button", { type: "button", className: "wide main", textContent: say.copy });
    const call = element("a", { textContent: say.call });
    const write = element("a", { textContent: say.text });
    const save = element("a", { className: "wide", rel: "noopener noreferrer" });
    const about = element("p", { dir: "auto" });
    const trial = element("a", { dir: "ltr" });
    const more = element("a", { className: "more", target: "_blank", rel: "noopener noreferrer" });
    const withNumber = [
      lead,
      element("p", { className: "number" }, number),
      element("div", { className: "row" }, element("span", { className: "small" }, international), status),
      element("div", { className: "do" }, copy, call, write, save),
    ];
    const details = element("details", {}, element("summary", { textContent: say.about }), about);
    const trying = element("p", { className: "trial" }, `${say.trial} `, trial);
    const foot = element("div", { className: "foot row small" }, trying, more);
    const section = element("section", { lang: language, dir: language === "ar" ? "rtl" : "ltr" });
    section.append(element("p", { className: "name" }, name), ...withNumber.slice(0, 3), note, withNumber[3], details, foot);
    section.setAttribute("aria-labelledby", "name");
    for (const live of [note, status]) live.setAttribute("role", "status");

    const link = (anchor, address) => {
      anchor.hidden = !address;
      if (address) anchor.href = address;
      else anchor.removeAttribute("href");
    };

    let silence;
    const tell = (said) => {
      clearTimeout(silence);
      status.textContent = said;
      silence = setTimeout(() => (status.textContent = ""), 5 * SECOND);
    };

    let shown = {};
    const show = (view) => {
      const before = shown;
      if (JSON.stringify(view) === JSON.stringify(before)) return;
      shown = view;
      const { state } = view;
      const stopped = view.suspended?.text ? view.suspended : { text: say.suspended, language };
      section.className = state;
      name.textContent = view.name || given.name || given.hotline;
      number.textContent = view.national;
      international.textContent = view.international === view.national ? "" : view.international;
      for (const part of withNumber) part.hidden = !view.number;
      note.textContent = { suspended: stopped.text, last_known: say.last, unknown: say.unknown, waiting: say.waiting }[state] || "";
      note.lang = state === "suspended" ? stopped.language : language;
      link(call, view.number && `tel:${view.number}`);
      link(write, view.number && `sms:${view.number}`);
      link(save, view.contact);
      // Isolated, so that a name of the other direction turns nothing around.
      save.textContent = say.save.replace("{}", () => `\u2068${view.contactName}\u2069`);
      details.hidden = !view.about?.text;
      about.textContent = view.about?.text;
      about.lang = view.about?.language || language;
      trying.hidden = !view.trial;
      trial.textContent = view.trial;
      link(trial, view.trial && `sms:${view.trial}`);
      more.textContent = view.number || state === "suspended" ? say.how : say.page;
      link(more, !view.withdrawn && (view.page || own(`${origin}/${language}/${slug}/`)));
      foot.hidden = trying.hidden && more.hidden;
      if (state === "waiting" || (view.number === before.number && state === before.state)) return;
      if (before.number && view.number && view.number !== before.number) tell(say.changed);
      const detail = { slug: given.hotline, number: view.number || null, state };
      host.dispatchEvent(new CustomEvent("paravent:number", { bubbles: true, composed: true, detail }));
    };

    copy.addEventListener("click", async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(shown.number);
      } catch {
        try {
          // Selected at least: the visitor's own keys do the rest.
          getSelection().selectAllChildren(number);
          copied = document.execCommand("copy");
        } catch {
          copied = false;
        }
      }
      tell(copied ? say.copied : say.select);
    });

    // What can be shown of an answer; throws where it is none.
    const read = (told) => {
      const suspended = told.state === "suspended";
      const callable = suspended ? "" : digits(told.number);
      if (!suspended && !callable) throw new TypeError("no number");
      const wait = Number(told.refresh_after);
      return {
        state: suspended ? "suspended" : "in_service",
        number: callable,
        national: digits(told.national) ? told.national : callable,
        international: digits(told.international) ? told.international : callable,
        name: text(told.name),
        about: words(told.about),
        suspended: words(told.suspended),
        contact: own(told.contact),
        contactName: text(told.contact_name),
        trial: digits(told.try_number),
        page: own(told.page),
        wait: Math.min(Math.max(wait || 0, SHORTEST), LONGEST),
      };
    };

    const get = async (cache) => {
      const control = new AbortController();
      const timer = setTimeout(() => control.abort(), TIMEOUT);
      try {
        const answer = await fetch(`${origin}/api/v1/hotlines/${slug}/current/?language=${language}`, {
          cache,
          credentials: "omit",
          mode: "cors",
          redirect: "error",
          referrerPolicy: "no-referrer",
          signal: control.signal,
        });
        const told = await answer.json();
        // Paravent itself says that the page is no longer public: then the number is nobody's to give away.
        if (answer.status === 404 && told.type === GONE) return { state: "suspended", withdrawn: true };
        return answer.ok ? read(told) : null;
      } catch {
        return null;
      } finally {
        clearTimeout(timer);
      }
    };

    const written = digits(given.number);
    const fromTag = written
      ? { state: "last_known", number: written, national: given.number.trim(), international: given.number.trim() }
      : { state: "unknown" };

    let last = null;
    let asked = 0;
    let timer;
    const later = () => {
      clearTimeout(timer);
      const due = asked + (last?.wait || SHORTEST) * SECOND - performance.now();
      if (!document.hidden) timer = setTimeout(ask, Math.max(due, 0));
    };

    const ask = async () => {
      asked = performance.now();
      if (host.isConnected) {
        const now = await get(last ? "no-cache" : "default");
        const known = now || (await get("force-cache")) || last;
        last = known;
        show(!known ? fromTag : now || !known.number ? known : { ...known, state: "last_known" });
      }
      later();
    };

    const place = () => {
      let into = null;
      try {
        into = given.target && document.querySelector(given.target);
      } catch {
        // No selector: as without one.
      }
      if (into) into.append(host);
      else if (script.isConnected && !script.closest("head")) script.after(host);
      else document.body.append(host);
      document.addEventListener("visibilitychange", later);
      addEventListener("pageshow", later);
      // Whoever waits long for an answer sees what the tag knows meanwhile.
      setTimeout(() => shown.state === "waiting" && show(fromTag), PATIENCE);
      ask();
    };

    if (given.theme) host.dataset.theme = given.theme;
    if (/^#([0-9a-f]{3}){1,2}$/i.test(given.accent)) host.style.setProperty("--paravent-accent", given.accent);
    const root = host.attachShadow({ mode: "open" });
    dress(root);
    root.append(section);
    show({ state: "waiting" });
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", place);
    else place();
  };

  // A module or a loader has no current script; then it is for every tag of this file that nobody has started.
  const current = document.currentScript?.dataset.hotline ? [document.currentScript] : null;
  const begun = Symbol.for("paravent");
  for (const script of current || document.querySelectorAll("script[data-hotline][src]")) {
    try {
      if (script[begun] || (!current && !/\/widget-1(\.\w+)?\.js$/.test(new URL(script.src).pathname))) continue;
      script[begun] = true;
      start(script);
    } catch {
      // One tag must not stop the others, nor the page.
    }
  }
})();
