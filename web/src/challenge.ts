/** Active liveness: explained and warned of first, then done by a clock, sent, and once more where that helps. */

import { type Asked, type CaptureSession, type Device, type Frame, Problem, type Standing } from "./api";
import { Camera } from "./camera";
import { type FaceFinder, LOOK } from "./faces";
import { adviceForSelfie } from "./guide";
import { figures, grey } from "./measure";
import { button, make, say, show, sleep, stage, step, t, tell, trouble } from "./page";
import type { Key } from "./texts";

/** Looks in a row without advice until it begins. */
const STEADY = 3;
const EVERY = 200;
const COUNT_FROM = 3;
/** Share of the frame's height that the face may take at the start: there must be room to come closer. */
const NEAREST = 0.6;
/** Share of looks with a face, below which it is done once more instead of being sent. */
const SEEN = 0.5;
const TICK = 20;

const COLOURS: Record<string, string> = {
  red: "rgb(255, 0, 0)",
  green: "rgb(0, 255, 0)",
  blue: "rgb(0, 0, 255)",
  yellow: "rgb(255, 255, 0)",
  magenta: "rgb(255, 0, 255)",
  cyan: "rgb(0, 255, 255)",
};

/** The picture of the camera is a mirror: the person's left is on the left. */
const SIGNS: Record<string, string> = {
  turn_left: "\u2190",
  turn_right: "\u2192",
  nod: "\u2193",
  blink: "\u25e1 \u25e1",
  smile: "\u263a",
  closer: "\u2295",
};

interface Wish {
  go: boolean;
  colours: boolean;
}

/** Ends when a challenge was answered well enough, or the person goes on without. */
export async function doChallenge(
  session: CaptureSession,
  standing: Standing,
  place: string,
  load: () => Promise<FaceFinder | null>,
): Promise<void> {
  let left = standing.draws_left;
  let why: Key | null = null;
  let colours = true;
  while (left > 0) {
    const wish = await explain(place, why, colours);
    if (!wish.go) return;
    colours = wish.colours;
    step(() => tell("loading"));
    let camera: Camera;
    try {
      camera = await Camera.open("user");
    } catch {
      why = "noCameraHere";
      continue;
    }
    try {
      const finder = await load();
      if (!(await prepare(camera, finder))) {
        why = "stopped";
        continue;
      }
      const asked = await drawn(session);
      if (!asked) return;
      left -= 1;
      await countDown();
      const taken = await run(camera, asked, colours, finder);
      if (!taken) {
        why = "stopped";
        continue;
      }
      if (taken.seen < SEEN && left > 0) {
        why = "faceLost";
        continue;
      }
      const device = { ...camera.says(), colours };
      camera.close(); // not needed while the frames are sent
      why = await answered(session, asked, taken.frames, device);
      if (!why) return;
    } finally {
      camera.close();
    }
  }
}

function explain(place: string, why: Key | null, colours: boolean): Promise<Wish> {
  return new Promise((done) => {
    let wanted = colours;
    step(() => {
      const box = make("input", { type: "checkbox", id: "no-colours" });
      box.checked = !wanted;
      box.addEventListener("change", () => (wanted = !box.checked));
      show(
        "challengeTitle",
        ...(why ? [make("p", { class: "alarm", role: "alert", "data-text": why }, t(why))] : []),
        make("p", { class: "quiet" }, place),
        make("p", {}, t("challengeHow")),
        make(
          "div",
          { class: "warning", role: "note" },
          make("p", { id: "colours-warning" }, t("coloursWarning")),
          make("div", { class: "choice" }, box, make("label", { for: "no-colours" }, t("noColours"))),
        ),
        make(
          "div",
          { class: "buttons" },
          button("begin", () => done({ go: true, colours: wanted }), "first"),
          button("without", () => done({ go: false, colours: wanted })),
        ),
      );
      box.setAttribute("aria-describedby", "colours-warning");
    });
  });
}

/** Until the face is well placed for a moment, or the person begins by the button; false when they stop. */
async function prepare(camera: Camera, finder: FaceFinder | null): Promise<boolean> {
  let go: boolean | null = null;
  const advice = make("p", { class: "advice", "aria-hidden": "true" });
  const frame = make("div", { class: "frame face" }, camera.video, make("div", { class: "mask" }));
  const buttons = make(
    "div",
    { class: "buttons" },
    button("beginNow", () => (go = true), "first"),
    button("stop", () => (go = false)),
  );
  step(() => show("challengeTitle", frame, advice, buttons));
  let steady = 0;
  while (go === null) {
    const seen = camera.look(LOOK);
    let next: Key | null = seen && finder ? null : "beginYourself";
    if (seen && finder) {
      const found = figures(grey(seen.data), seen.width, seen.height);
      const faces = await finder.find(seen.data, seen.width, seen.height);
      next = adviceForSelfie(found, faces, seen.width, seen.height, NEAREST);
    }
    steady = next === null ? steady + 1 : 0;
    advice.textContent = t(next ?? "hold");
    frame.classList.toggle("good", next === null);
    say(advice.textContent);
    if (steady >= STEADY) return true;
    await sleep(EVERY);
  }
  return go;
}

/** A new challenge; null when no more are drawn for this attempt. */
async function drawn(session: CaptureSession): Promise<Asked | null> {
  for (;;) {
    try {
      return await session.draw();
    } catch (error) {
      if (error instanceof Problem && error.status === 409) return null;
      if (error instanceof Problem && error.status === 401) throw error; // the link has ended: the camera is let go
      await new Promise<void>((again) => trouble(error, again));
    }
  }
}

async function countDown(): Promise<void> {
  const number = make("p", { class: "count", "aria-hidden": "true" });
  stage("challengeTitle", make("h1", {}, t("getReady")), number);
  say(t("getReady"), true);
  for (let count = COUNT_FROM; count > 0; count -= 1) {
    number.textContent = String(count);
    await sleep(800);
  }
}

/** Prompts, colours and frames by one clock; null when it was stopped or the page was left. */
async function run(
  camera: Camera,
  asked: Asked,
  colours: boolean,
  finder: FaceFinder | null,
): Promise<{ frames: Frame[]; seen: number } | null> {
  const prompt = make("h1", { class: "prompt", tabindex: "-1" });
  const sign = make("p", { class: "sign", "aria-hidden": "true" });
  const bar = make("progress", { class: "bar", max: "1", "aria-hidden": "true" });
  const clock = make("p", { class: "quiet clock", role: "timer", "aria-live": "off" });
  const advice = make("p", { class: "advice", "aria-hidden": "true" });
  const frame = make("div", { class: "frame face small" }, camera.video, sign);
  const screen = make("div", { class: "colours", hidden: "" });
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  const stopping = make("div", { class: "buttons stopping" }, button("stop", stop));
  screen.append(make("p", { class: "chip" }, t("lookScreen")), button("stop", stop, "chip"));
  stage("challengeTitle", prompt, frame, bar, clock, advice, stopping, screen);
  prompt.focus();
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Escape") stop();
  };
  const left = (): void => {
    if (document.hidden) stop();
  };
  document.addEventListener("keydown", key);
  document.addEventListener("visibilitychange", left);

  const last = asked.flashes[asked.flashes.length - 1]!;
  const end = last.at_ms + last.for_ms;
  const gap = 1000 / asked.frames_a_second;
  const shots: { at_ms: number; picture: Promise<Blob> }[] = [];
  const begin = performance.now();
  const clockNow = (): number => performance.now() - begin;
  const looks = { all: 0, seen: 0 };
  let shown: string | null = null;
  let due = 0;
  const watching = watch(camera, finder, advice, looks, () => stopped || clockNow() >= end);
  try {
    for (let now = clockNow(); now < end && !stopped; now = clockNow()) {
      const wanted = asked.steps.find((each) => now >= each.at_ms && now < each.at_ms + each.for_ms);
      const flash = asked.flashes.find((each) => now >= each.at_ms && now < each.at_ms + each.for_ms);
      const lit = colours && flash ? flash.colour : "";
      const name = wanted?.action ?? (lit ? "lookScreen" : "lookAhead");
      if (name !== shown) {
        shown = name;
        prompt.textContent = t(name as Key);
        prompt.dataset.action = wanted?.action ?? "";
        sign.textContent = wanted ? (SIGNS[wanted.action] ?? "") : "";
        bar.hidden = !wanted;
        say(t(name as Key), true);
        if (wanted) navigator.vibrate?.(60);
      }
      if (wanted) bar.value = 1 - (now - wanted.at_ms) / wanted.for_ms;
      screen.hidden = !lit;
      if (lit) screen.style.backgroundColor = COLOURS[lit] ?? "";
      const seconds = `${Math.ceil((end - now) / 1000)} ${t("secondsLeft")}`;
      if (clock.textContent !== seconds) clock.textContent = seconds;
      if (now >= due && camera.isFresh() && shots.length < asked.most_frames) {
        shots.push({ at_ms: now, picture: camera.shot(asked.longer_side) });
        due = Math.max(due + gap, now + gap / 2);
      }
      await sleep(TICK);
    }
  } finally {
    stopped = true;
    document.removeEventListener("keydown", key);
    document.removeEventListener("visibilitychange", left);
    screen.hidden = true;
  }
  await watching;
  if (clockNow() < end || shots.length === 0) return null;
  step(() => tell("sending"));
  const frames: Frame[] = [];
  for (const each of shots) frames.push({ at_ms: Math.round(each.at_ms * 10) / 10, picture: await base64(await each.picture) });
  return { frames, seen: looks.all ? looks.seen / looks.all : 1 };
}

/** Tells the person when their face is not seen; takes a quarter of this device's time at most. */
async function watch(
  camera: Camera,
  finder: FaceFinder | null,
  advice: HTMLElement,
  looks: { all: number; seen: number },
  over: () => boolean,
): Promise<void> {
  while (finder && !over()) {
    const started = performance.now();
    const seen = camera.look(LOOK);
    if (seen) {
      const faces = await finder.find(seen.data, seen.width, seen.height);
      looks.all += 1;
      if (faces.length) looks.seen += 1;
      advice.textContent = faces.length === 0 ? t("noFace") : faces.length > 1 ? t("manyFaces") : "";
    }
    await sleep(Math.max(300, 3 * (performance.now() - started)));
  }
}

/** Why it should be done once more; null when it was taken in. */
async function answered(
  session: CaptureSession,
  asked: Asked,
  frames: Frame[],
  device: Device,
): Promise<Key | null> {
  for (;;) {
    try {
      const kept = await session.answer(asked.challenge, frames, device);
      const doubt = kept.draws_left > 0 ? kept.doubts[0] : undefined;
      if (!doubt) return null;
      return doubt.code === "attacks.timing_sparse" ? "tooFew" : "tooShort";
    } catch (error) {
      if (error instanceof Problem && error.status === 409) return "expired";
      await new Promise<void>((again) => trouble(error, again));
      step(() => tell("sending"));
    }
  }
}

async function base64(picture: Blob): Promise<string> {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  return btoa(text);
}
