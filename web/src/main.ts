/** The page: one step after the other, everything by keyboard, every change told to screen readers. */

import qrcode from "qrcode-generator";
import { CaptureSession, Problem, type ConsentText, type Session } from "./api";
import { Camera } from "./camera";
import { doChallenge } from "./challenge";
import { FaceFinder, LOOK } from "./faces";
import { adviceForDocument, adviceForSelfie } from "./guide";
import { figures, grey } from "./measure";
import { button, make, say, show, sleep, spoken, step, t, tell, trouble } from "./page";
import type { Key } from "./texts";

/** Looks in a row without advice until a picture is taken by itself. */
const STEADY = 4;
const EVERY = 150;

/** The steps of a session: what is asked for follows from its policy. */
async function begin(): Promise<void> {
  const session = CaptureSession.fromLink(location.hash);
  if (!session) return step(() => tell("badLink"));
  try {
    await route(session, await session.get());
  } catch (error) {
    trouble(error, () => void begin());
  }
}

async function route(session: CaptureSession, found: Session): Promise<void> {
  if (found.state === "created") {
    const texts = await session.texts();
    return step(() => consent(session, texts));
  }
  if (found.state === "collecting") return collect(session, found);
  return follow(session, found);
}

function consent(session: CaptureSession, texts: ConsentText[]): void {
  const text = texts.find((each) => each.language === spoken()) ?? texts[0];
  if (!text) return tell("failed");
  const agree = button("agree", () => {
    agree.disabled = true;
    session
      .consent(text)
      .then(() => session.get())
      .then((found) => route(session, found))
      .catch((error: unknown) => trouble(error, () => step(() => consent(session, texts))));
  }, "first");
  show(
    "consentTitle",
    make("p", { class: "quiet" }, t("consentLocal")),
    make("p", { class: "consent", lang: text.language }, text.text),
    make("div", { class: "buttons" }, agree, button("decline", () => step(() => tell("declined")))),
    phone(),
  );
}

function phone(): HTMLElement {
  const details = make("details", {}, make("summary", {}, t("onPhone")));
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("svg")) return;
    const code = qrcode(0, "M");
    code.addData(location.href);
    code.make();
    const figure = make("div", { class: "code", role: "img", "aria-label": t("onPhone") });
    figure.innerHTML = code.createSvgTag({ cellSize: 4, margin: 8, scalable: true });
    details.append(make("p", {}, t("onPhoneHow")), figure);
  });
  return details;
}

const CHALLENGE = "challenge";

async function collect(session: CaptureSession, found: Session): Promise<void> {
  const parts = [...found.needs];
  const standing = found.challenge;
  const asked = standing !== null && !standing.answered && standing.draws_left > 0;
  if (asked) parts.splice(parts.indexOf("selfie") + 1, 0, CHALLENGE);
  for (const [index, part] of parts.entries()) {
    if (part === CHALLENGE && standing) {
      await doChallenge(session, standing, `${t("progress")} ${index + 1} / ${parts.length}`, loadFinder);
    } else {
      await send(session, part, await capture(part, index + 1, parts.length));
    }
  }
  step(() => tell("sending"));
  try {
    await follow(session, await session.submit());
  } catch (error) {
    trouble(error, () => void begin());
  }
}

async function send(session: CaptureSession, role: string, picture: Blob): Promise<void> {
  step(() => tell("sending"));
  for (;;) {
    try {
      return await session.upload(role, picture);
    } catch (error) {
      await new Promise<void>((again) => trouble(error, again));
    }
  }
}

/** One picture: by the camera with guidance, or from a file. */
function capture(role: string, number: number, of: number): Promise<Blob> {
  const selfie = role === "selfie";
  const title: Key = selfie ? "selfieTitle" : role === "document_back" ? "backTitle" : "documentTitle";
  return new Promise((done) => {
    let camera: Camera | null = null;
    const close = (): void => {
      camera?.close();
      camera = null;
    };
    const confirm = (picture: Blob): void => {
      close();
      const url = URL.createObjectURL(picture);
      step(() =>
        show(
          title,
          make("img", { src: url, class: "preview", alt: t(title) }),
          make(
            "div",
            { class: "buttons" },
            button("use", () => {
              URL.revokeObjectURL(url);
              done(picture);
            }, "first"),
            button("again", () => step(start)),
          ),
        ),
      );
    };
    const file = (): HTMLElement => {
      const input = make("input", { type: "file", accept: "image/*", class: "unseen", id: "file", "data-role": role });
      input.addEventListener("change", () => {
        const chosen = input.files?.[0];
        if (chosen) confirm(chosen);
      });
      return make("div", { class: "file" }, input, make("label", { for: "file" }, t("file")));
    };
    const start = (): void => {
      close();
      show(
        title,
        make("p", { class: "quiet" }, `${t("progress")} ${number} / ${of}`),
        make("p", {}, t(selfie ? "selfieHow" : "documentHow")),
        make("div", { class: "buttons" }, button("start", () => void open(), "first")),
        file(),
      );
    };
    const open = async (): Promise<void> => {
      step(() => tell("loading"));
      try {
        camera = await Camera.open(selfie ? "user" : "environment");
      } catch {
        return step(() => show(title, make("p", { class: "alarm", role: "alert" }, t("noCamera")), file()));
      }
      const finder = selfie ? await loadFinder() : null;
      const advice = make("p", { class: "advice", "aria-hidden": "true" });
      const frame = make("div", { class: selfie ? "frame face" : "frame document" }, camera.video, make("div", { class: "mask" }));
      step(() =>
        show(title, frame, advice, make("div", { class: "buttons" }, button("take", () => void take(), "first")), file()),
      );
      const take = async (): Promise<void> => {
        if (camera) confirm(await camera.picture());
      };
      let steady = 0;
      while (camera) {
        const seen = camera.look(LOOK);
        let next: Key | null = "loading";
        if (seen) {
          const found = figures(grey(seen.data), seen.width, seen.height);
          next = selfie
            ? finder && adviceForSelfie(found, await finder.find(seen.data, seen.width, seen.height), seen.width, seen.height)
            : adviceForDocument(found);
        }
        if (!camera) return;
        steady = next === null ? steady + 1 : 0;
        const text = t(next ?? "hold");
        advice.textContent = text;
        frame.classList.toggle("good", next === null);
        say(text);
        if (steady >= STEADY && (finder || !selfie)) return void (await take());
        await sleep(EVERY);
      }
    };
    step(start);
  });
}

let finding: Promise<FaceFinder | null> | null = null;

/** The detector; null when this device cannot run it: then the person takes the picture by the button. */
function loadFinder(): Promise<FaceFinder | null> {
  finding ??= FaceFinder.load("/capture/models/face-detector.onnx").catch(() => null);
  return finding;
}

/** Wait for the verdict and say what it means for the person. */
async function follow(session: CaptureSession, found: Session): Promise<void> {
  let now = found;
  let wait = 500;
  while (now.state === "submitted" || now.state === "processing") {
    step(() => tell("waiting"));
    await sleep(wait);
    wait = Math.min(wait * 1.3, 4000);
    try {
      now = await session.get();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 0) return trouble(error, () => void follow(session, now));
    }
  }
  if (now.state === "retry") {
    const again = button("tryAgain", () => {
      session
        .resume()
        .then(() => session.get())
        .then((resumed) => route(session, resumed))
        .catch((error: unknown) => trouble(error, () => void begin()));
    }, "first");
    return step(() => tell("retry", again));
  }
  const said: Record<string, Key> = { accepted: "accepted", review: "review", rejected: "rejected", failed: "failed" };
  return step(() => tell(said[now.state] ?? "ended"));
}

void begin();
