/** What can be said about a picture without a model: light, sharpness, glare. Figures of a small grey copy. */

export interface PictureFigures {
  /** Mean grey value, 0-255. */
  light: number;
  /** Variance of the Laplacian: low is blurred. */
  sharpness: number;
  /** Share of pixels that are all but white. */
  glare: number;
}

/** Grey values of RGBA pixels, ITU-R BT.601 weights. */
export function grey(rgba: Uint8ClampedArray): Float32Array {
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 1) {
    out[j] = 0.299 * rgba[i]! + 0.587 * rgba[i + 1]! + 0.114 * rgba[i + 2]!;
  }
  return out;
}

export function figures(values: Float32Array, width: number, height: number): PictureFigures {
  let sum = 0;
  let white = 0;
  for (const value of values) {
    sum += value;
    if (value > 250) white += 1;
  }
  let count = 0;
  let total = 0;
  let squares = 0;
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const at = y * width + x;
      const laplacian =
        values[at - 1]! + values[at + 1]! + values[at - width]! + values[at + width]! - 4 * values[at]!;
      total += laplacian;
      squares += laplacian * laplacian;
      count += 1;
    }
  }
  const mean = count ? total / count : 0;
  return {
    light: values.length ? sum / values.length : 0,
    sharpness: count ? squares / count - mean * mean : 0,
    glare: values.length ? white / values.length : 0,
  };
}
