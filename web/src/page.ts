/** What every step of the page is drawn with: texts, elements, the heading in focus, the voice for screen readers. */

import { Problem } from "./api";
import { chooseLanguage, TEXTS, type Key, type Language } from "./texts";

const app = document.getElementById("app") as HTMLElement;
const live = document.getElementById("live") as HTMLElement;
let language: Language = chooseLanguage(navigator.languages);
let current: () => void = () => undefined;

export function spoken(): Language {
  return language;
}

export function t(key: Key): string {
  return TEXTS[language][key];
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Partial<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(label: Key, act: () => void, kind = ""): HTMLButtonElement {
  const element = make("button", { type: "button", class: kind }, t(label));
  element.addEventListener("click", act);
  return element;
}

/** Told to screen readers: in their own time, or at once when it must be done now. */
export function say(text: string, now = false): void {
  live.setAttribute("aria-live", now ? "assertive" : "polite");
  if (live.textContent !== text) live.textContent = text;
}

export function show(title: Key, ...content: (Node | string)[]): void {
  document.documentElement.lang = language;
  document.title = t(title);
  const heading = make("h1", { tabindex: "-1" }, t(title));
  app.replaceChildren(languages(), heading, ...content);
  heading.focus();
}

/** Something that runs by a clock: no choice of language, since it cannot be drawn anew. */
export function stage(title: Key, ...content: Node[]): void {
  document.documentElement.lang = language;
  document.title = t(title);
  app.replaceChildren(...content);
}

export function tell(key: Key, ...content: Node[]): void {
  show("title", make("p", { class: "message", role: "status", "data-text": key }, t(key)), ...content);
}

/** Draw a step, now and whenever the language is changed. */
export function step(draw: () => void): void {
  current = draw;
  draw();
}

export function trouble(error: unknown, again: () => void): void {
  if (error instanceof Problem && error.status === 401) return step(() => tell("badLink"));
  const key: Key = error instanceof Problem && error.status === 0 ? "unreachable" : "failed";
  const detail = error instanceof Problem && error.status === 422 ? make("p", { class: "quiet" }, error.message) : null;
  step(() => tell(key, ...(detail ? [detail] : []), button("tryAgain", again, "first")));
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function languages(): HTMLElement {
  const choice = make("select", { "aria-label": "Language", class: "language" });
  for (const each of Object.keys(TEXTS)) {
    const option = make("option", { value: each }, each.toUpperCase());
    option.selected = each === language;
    choice.append(option);
  }
  choice.addEventListener("change", () => {
    language = choice.value as Language;
    current();
  });
  return choice;
}
