/** The part of the API that a person's own token opens. This is the browser SDK: it knows nothing of the page. */

export interface Session {
  id: string;
  state: string;
  reason: string;
  attempt: number;
  policy: string;
  needs: string[];
  /** null when the policy asks for no active liveness. */
  challenge: Standing | null;
}

export interface Standing {
  answered: boolean;
  draws_left: number;
}

/** What the person is asked, by a clock that the page starts. */
export interface Asked {
  challenge: string;
  steps: { action: string; at_ms: number; for_ms: number }[];
  flashes: { colour: string; at_ms: number; for_ms: number }[];
  seconds: number;
  frames_a_second: number;
  most_frames: number;
  longer_side: number;
}

export interface Frame {
  at_ms: number;
  /** JPEG, base64. */
  picture: string;
}

export interface Device {
  camera: string;
  width: number;
  height: number;
  colours: boolean;
}

export interface Answered {
  doubts: { code: string; message: string; advice: string }[];
  draws_left: number;
}

export interface ConsentText {
  version: string;
  language: string;
  text: string;
}

/** A problem document of the service (RFC 9457). `code` is for programs. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

const RETRIES = 4;

/** One session, opened by its client token. Every call may be repeated after a broken line: POSTs carry an idempotency key. */
export class CaptureSession {
  constructor(
    private readonly token: string,
    readonly id: string,
    private readonly base = "",
  ) {}

  /** From the text after `#` in the capture link; null when it is none. */
  static fromLink(hash: string, base = ""): CaptureSession | null {
    try {
      const token = decodeURIComponent(hash.replace(/^#/, ""));
      const body = token.startsWith("sct.") ? token.split(".")[1] : undefined;
      if (!body) return null;
      const content: unknown = JSON.parse(atob(body.replace(/-/g, "+").replace(/_/g, "/")));
      if (typeof content === "object" && content !== null && "s" in content && typeof content.s === "string") {
        return new CaptureSession(token, content.s, base);
      }
    } catch {
      return null;
    }
    return null;
  }

  get(): Promise<Session> {
    return this.call<Session>("GET", "");
  }

  texts(): Promise<ConsentText[]> {
    return this.call<ConsentText[]>("GET", "/consent-texts");
  }

  async consent(text: ConsentText): Promise<void> {
    await this.call("POST", "/consents", JSON.stringify({ version: text.version, language: text.language }));
  }

  async upload(role: string, picture: Blob): Promise<void> {
    await this.call("POST", `/media?role=${encodeURIComponent(role)}`, picture, picture.type || "application/octet-stream");
  }

  /** A new challenge; the one before cannot be answered any more. */
  draw(): Promise<Asked> {
    return this.call<Asked>("POST", "/challenge");
  }

  answer(challenge: string, frames: Frame[], device: Device): Promise<Answered> {
    return this.call<Answered>("POST", "/challenge/answer", JSON.stringify({ challenge, frames, device }));
  }

  submit(): Promise<Session> {
    return this.call<Session>("POST", "/submit");
  }

  resume(): Promise<Session> {
    return this.call<Session>("POST", "/resume");
  }

  cancel(): Promise<Session> {
    return this.call<Session>("POST", "/cancel");
  }

  private async call<T>(method: string, path: string, body?: string | Blob, type = "application/json"): Promise<T> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID();
    if (body !== undefined) headers["Content-Type"] = type;
    const url = `${this.base}/v1/sessions/${this.id}${path}`;
    for (let tried = 0; ; tried += 1) {
      let answer: Response | null = null;
      try {
        answer = await fetch(url, { method, headers, body: body ?? null, cache: "no-store", credentials: "omit" });
      } catch {
        if (tried >= RETRIES) throw new Problem(0, "client.unreachable", "The service cannot be reached.");
      }
      if (answer?.ok) return (await answer.json()) as T;
      if (answer && (tried >= RETRIES || !isPassing(answer))) throw await problemOf(answer);
      const asked = Number(answer?.headers.get("retry-after"));
      await new Promise((resolve) => setTimeout(resolve, asked > 0 ? Math.min(asked, 20) * 1000 : 300 * 2 ** tried));
    }
  }
}

/** Whether a repeat helps. A conflict that says when: our first try still runs, or died with its process. */
function isPassing(answer: Response): boolean {
  return [429, 503].includes(answer.status) || (answer.status === 409 && answer.headers.has("retry-after"));
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const found = (await answer.json()) as { code?: string; detail?: string };
    return new Problem(answer.status, found.code ?? "", found.detail ?? "");
  } catch {
    return new Problem(answer.status, "", "");
  }
}
