// The phone. It asks the simulator to sign, posts the signed request itself, and polls for what became of it.

import { Bubbles } from "./bubbles.js";
import * as network from "./network.js";
import { Steps } from "./steps.js";

const BUSY_MS = 500;
const IDLE_MS = 2500;
const HIDDEN_MS = 6000;
const LONGEST_RETRY_MS = 8000;

const $ = (id) => document.getElementById(id);
const data = $("script-data") && JSON.parse($("script-data").textContent);

class Phone {
  constructor({ addresses, texts }) {
    this.addresses = addresses;
    this.words = texts;
    this.csrf = document.querySelector("#languages [name=csrfmiddlewaretoken]").value;
    this.bubbles = new Bubbles($("bubbles"), $("hint"), $("log"), texts);
    this.steps = new Steps($("steps"), texts);
    this.sendings = new Map(); // by uuid: what this page knows of requests it posts
    this.generation = 0;
    this.#restoreChoice();
    this.#listen();
    this.#chosen();
  }

  get hotline() {
    return $("hotline").value;
  }

  get contact() {
    return $("hotline").selectedOptions[0].dataset;
  }

  get phone() {
    return $("phone").value || $("typed").value.trim();
  }

  // --- choosing the two numbers ---------------------------------------------------------------------------------
  #restoreChoice() {
    const asked = new URLSearchParams(location.search);
    const from = asked.get("from");
    if (from) {
      $("phone").value = from;
      if ($("phone").selectedIndex < 0) {
        $("phone").value = "";
        $("typed").value = from;
      }
    }
    if (asked.get("to")) $("hotline").value = asked.get("to");
    if ($("hotline").selectedIndex < 0) $("hotline").selectedIndex = 0;
  }

  #chosen() {
    this.generation += 1;
    const typing = $("phone").value === "";
    $("typed-field").hidden = !typing;
    const { name, number, kind } = this.contact;
    $("contact-name").textContent = name;
    $("contact-number").textContent = number;
    $("contact-kind").textContent = kind;
    this.bubbles.clear();
    this.steps.clear();
    this.loaded = false;
    this.last = null;
    this.#showFooting({ slots_used: 0, reply_limit: 0, words: "" });
    const query = new URLSearchParams({ from: this.phone, to: this.hotline });
    history.replaceState(null, "", `?${query}`);
    document.querySelector("#languages [name=next]").value = `${location.pathname}?${query}`;
    this.#poll();
  }

  #listen() {
    for (const id of ["phone", "hotline", "typed"]) {
      $(id).addEventListener("change", () => {
        this.#chosen();
        if (id === "phone" && $("phone").value === "") $("typed").focus();
      });
    }
    document.querySelector(".chips").addEventListener("click", (event) => {
      if (!(event.target instanceof HTMLButtonElement)) return;
      $("text").value = event.target.textContent;
      $("text").focus();
    });
    $("text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      $("composer").requestSubmit();
    });
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("call").addEventListener("click", () => this.#call());
    document.addEventListener("visibilitychange", () => document.hidden || this.#poll());
  }

  // --- sending ------------------------------------------------------------------------------------------------
  async #send() {
    const text = $("text").value;
    if (this.signing || !text.trim()) return;
    const { hotline, generation } = this;
    this.signing = true;
    document.querySelector("#composer .send").setAttribute("aria-disabled", "true");
    try {
      const signed = await network.sign(this.addresses.sign, { hotline, phone: this.phone, text }, this.csrf);
      this.#answers();
      if ($("text").value === text) $("text").value = "";
      const nonce = signed.request.headers["X-Plivo-Signature-V3-Nonce"];
      this.sendings.set(signed.uuid, { nonce, status: 0, ms: 0, caption: this.words.on_its_way });
      if (generation === this.generation) {
        this.bubbles.add({ uuid: signed.uuid, text, arrived: false, at: new Date() }, "", true);
        this.last = signed.uuid;
        this.#showSending(signed.uuid);
      }
      this.#bring(signed.uuid, signed.request, 500);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.signing = false;
      document.querySelector("#composer .send").removeAttribute("aria-disabled");
    }
  }

  // --- calling ------------------------------------------------------------------------------------------------
  async #call() {
    if (this.calling) return;
    const { hotline, generation } = this;
    this.calling = true;
    $("call").setAttribute("aria-disabled", "true");
    try {
      const { uuid, ringing, over } = await network.sign(this.addresses.call, { hotline, phone: this.phone }, this.csrf);
      this.#answers();
      const words = await network.ring(ringing);
      await network.post(over);
      if (generation === this.generation) this.#heard(uuid, words);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.calling = false;
      $("call").removeAttribute("aria-disabled");
    }
  }

  #heard(uuid, words) {
    const { name } = this.contact;
    this.bubbles.add({ uuid, text: this.words.called, arrived: false, at: new Date() }, "", true);
    this.bubbles.caption(uuid, words ? this.words.spoken : this.words.busy, !words);
    if (words) this.bubbles.add({ uuid: `${uuid}-heard`, text: words, arrived: true, at: new Date() }, name, true);
    if (words) this.#say(this.words.heard, { name, text: words });
    else this.#say("{words}", { words: this.words.busy });
    this.#poll();
  }

  // As a carrier does: the same request again, byte for byte, until the webhook has answered.
  async #bring(uuid, request, pause) {
    const sending = this.sendings.get(uuid);
    const begun = performance.now();
    try {
      sending.status = await network.post(request);
      sending.ms = Math.round(performance.now() - begun);
    } catch {
      sending.status = 0;
    }
    if (sending.status === 0 || sending.status >= 500) {
      sending.caption = this.words.retrying;
      setTimeout(() => this.#bring(uuid, request, Math.min(pause * 2, LONGEST_RETRY_MS)), pause);
    } else {
      sending.caption = sending.status < 300 ? this.words.on_its_way : this.words.not_sent;
      this.#poll();
    }
    this.#showSending(uuid);
  }

  #showSending(uuid) {
    const sending = this.sendings.get(uuid);
    this.bubbles.caption(uuid, sending.caption);
    if (uuid === this.last) this.steps.show(sending, null);
  }

  // --- what became of it ----------------------------------------------------------------------------------------
  async #poll() {
    clearTimeout(this.timer);
    const { generation, hotline, phone } = this;
    if (!phone) return;
    let wait = IDLE_MS;
    try {
      const state = await network.state(this.addresses.state, hotline, phone);
      if (generation !== this.generation) return;
      $("typed-problem").textContent = "";
      this.#answers();
      const busy = this.#show(state);
      for (const report of state.reports) await network.post(report);
      if (busy || state.reports.length) wait = BUSY_MS;
    } catch (error) {
      if (generation !== this.generation) return;
      if (error instanceof network.Problem && $("phone").value === "") $("typed-problem").textContent = error.message;
      else this.#failed(error);
    }
    if (generation !== this.generation) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), document.hidden ? HIDDEN_MS : wait);
  }

  // True while something is still to come.
  #show({ texts, journeys, footing }) {
    const { name } = this.contact;
    for (const text of texts) {
      const added = this.bubbles.add(text, name, this.loaded);
      if (!text.arrived) this.last = text.uuid;
      if (added && text.arrived && this.loaded) this.#say(this.words.arrived, { name, text: text.text });
      const journey = journeys[text.uuid];
      const caption = journey?.caption ?? this.sendings.get(text.uuid)?.caption ?? this.words.not_sent;
      this.bubbles.caption(text.uuid, caption, journey?.disposition ? journey.disposition !== "answered" : false);
    }
    this.loaded = true;
    this.#showFooting(footing);
    if (this.last) this.steps.show(this.sendings.get(this.last), journeys[this.last]);
    return Object.values(journeys).some((journey) => journey.ended === false);
  }

  #showFooting({ slots_used: used, reply_limit: limit, words, until }) {
    $("dots").replaceChildren(
      ...Array.from({ length: limit }, (_, index) => {
        const dot = document.createElement("i");
        if (index < used) dot.className = "used";
        return dot;
      }),
    );
    $("slots-text").textContent = limit ? this.words.replies.replace("{used}", used).replace("{limit}", limit) : "";
    const moment = until && new Date(until);
    const style = { dateStyle: "long", timeStyle: "short" };
    $("block-until").textContent = moment
      ? this.words.until.replace("{moment}", moment.toLocaleString(document.documentElement.lang, style))
      : "";
    if (words && this.loaded && $("block").hidden) this.#say("{words}", { words });
    $("block-words").textContent = words;
    $("block").hidden = !words;
    $("log").scrollTop = words && !this.blockShown ? $("log").scrollHeight : $("log").scrollTop;
    this.blockShown = Boolean(words);
  }

  // --- the network's voice ----------------------------------------------------------------------------------------
  #failed(error) {
    const words = error instanceof network.Problem ? error.message : this.words.no_network;
    if ($("network").hidden || $("network").textContent !== words) this.#say("{words}", { words });
    $("network").textContent = words;
    $("network").hidden = false;
  }

  #answers() {
    if (!$("network").hidden) this.#say("{words}", { words: this.words.back });
    $("network").hidden = true;
  }

  #say(template, values) {
    $("announce").textContent = template.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }
}

if (data) new Phone(data);
