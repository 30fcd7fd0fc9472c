/** Faces in a picture by YuNet, the detector the service uses, on this device (ONNX Runtime in WebAssembly). */

import * as ort from "onnxruntime-web/wasm";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

export interface Face {
  /** Of the box, in pixels of the picture. */
  x: number;
  y: number;
  width: number;
  height: number;
  score: number;
  /** Right eye, left eye, nose, right and left corner of the mouth: x, y in pixels. */
  points: number[];
}

const SIDE = 320;
const STRIDES = [8, 16, 32];
const LEAST = 0.7;
const OVERLAP = 0.3;

ort.env.wasm.numThreads = 1; // threads need headers that embedding pages rarely send
ort.env.wasm.wasmPaths = { wasm };

/** Side that pictures are shrunk to before they are looked at. */
export const LOOK = SIDE;

export class FaceFinder {
  private constructor(private readonly session: ort.InferenceSession) {}

  static async load(url: string): Promise<FaceFinder> {
    const answer = await fetch(url, { credentials: "omit" });
    if (!answer.ok) throw new Error(`no detector: ${answer.status}`);
    const model = new Uint8Array(await answer.arrayBuffer());
    return new FaceFinder(await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }));
  }

  /** Faces in RGBA pixels, largest first; both sides at most `LOOK`. */
  async find(rgba: Uint8ClampedArray, width: number, height: number): Promise<Face[]> {
    const side = { width: padded(width), height: padded(height) };
    const area = side.width * side.height;
    const input = new Float32Array(3 * area);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const from = 4 * (y * width + x);
        const to = y * side.width + x;
        input[to] = rgba[from + 2]!; // the network takes blue, green, red
        input[area + to] = rgba[from + 1]!;
        input[2 * area + to] = rgba[from]!;
      }
    }
    const out = await this.session.run({ input: new ort.Tensor("float32", input, [1, 3, side.height, side.width]) });
    const found: Face[] = [];
    for (const stride of STRIDES) {
      const data = (name: string) => out[`${name}_${stride}`]!.data as Float32Array;
      const [cls, obj, box, kps] = [data("cls"), data("obj"), data("bbox"), data("kps")];
      const columns = side.width / stride;
      for (let at = 0; at < cls.length; at += 1) {
        const score = Math.sqrt(clamp(cls[at]!) * clamp(obj[at]!));
        if (score < LEAST) continue;
        const [column, row] = [at % columns, Math.floor(at / columns)];
        const w = Math.exp(box[4 * at + 2]!) * stride;
        const h = Math.exp(box[4 * at + 3]!) * stride;
        const points: number[] = [];
        for (let point = 0; point < 5; point += 1) {
          points.push((kps[10 * at + 2 * point]! + column) * stride, (kps[10 * at + 2 * point + 1]! + row) * stride);
        }
        const x = (column + box[4 * at]!) * stride - w / 2;
        const y = (row + box[4 * at + 1]!) * stride - h / 2;
        found.push({ x, y, width: w, height: h, score, points });
      }
    }
    return kept(found);
  }
}

function padded(length: number): number {
  return Math.max(32, Math.ceil(length / 32) * 32);
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Without those that overlap a better one; largest first. */
export function kept(faces: Face[]): Face[] {
  const out: Face[] = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (out.every((other) => overlap(face, other) <= OVERLAP)) out.push(face);
  }
  return out.sort((a, b) => b.width * b.height - a.width * a.height);
}

function overlap(a: Face, b: Face): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.width * a.height + b.width * b.height - w * h);
}
