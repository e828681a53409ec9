// The texts on the screen. Everything is set as text, never as markup: what somebody writes stays inert.

export class Bubbles {
  constructor(list, hint, scroller, words) {
    Object.assign(this, { list, hint, scroller, words });
    this.known = new Map();
  }

  clear() {
    this.known.clear();
    this.list.replaceChildren();
    this.hint.hidden = false;
  }

  // Add the text, unless it is there; true when it was added.
  add({ uuid, text, arrived, at }, name, fresh) {
    if (this.known.has(uuid)) return false;
    const follow = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
    const item = document.createElement("li");
    item.dataset.uuid = uuid;
    item.className = arrived ? "arrived" : "written";
    if (fresh) item.classList.add("fresh");
    const who = document.createElement("span");
    who.className = "unseen";
    who.textContent = arrived ? this.words.they_wrote.replace("{name}", () => name) : this.words.you_wrote;
    const bubble = document.createElement("p");
    bubble.className = "bubble";
    bubble.dir = "auto";
    bubble.textContent = text;
    const caption = document.createElement("p");
    caption.className = "caption";
    item.append(who, bubble, caption);
    if (at) item.title = new Date(at).toLocaleTimeString(document.documentElement.lang);
    this.list.append(item);
    this.known.set(uuid, { item, caption, arrived });
    this.hint.hidden = true;
    if (follow || !arrived) this.scroller.scrollTop = this.scroller.scrollHeight;
    return true;
  }

  caption(uuid, words, silent = false) {
    const bubble = this.known.get(uuid);
    if (!bubble) return;
    if (bubble.caption.textContent !== words) {
      const atEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
      bubble.caption.textContent = words;
      if (atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    }
    bubble.item.classList.toggle("silent", silent);
  }
}
