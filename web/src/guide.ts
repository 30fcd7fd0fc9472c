/** From figures and faces to the one thing the person should do next; null when the picture may be taken. */

import type { Face } from "./faces";
import type { PictureFigures } from "./measure";
import type { Key } from "./texts";

/** Limits of the guidance. They only steer the person: what is good enough is decided by the service. */
export const LIMITS = {
  dark: 55,
  bright: 225,
  selfieGlare: 0.12,
  documentGlare: 0.04,
  selfieSharpness: 12,
  documentSharpness: 60,
  nearest: 0.8,
  farthest: 0.22,
  offCentre: 0.2,
  turned: 0.22,
  tilted: 14,
};

export function adviceForDocument(found: PictureFigures): Key | null {
  if (found.light < LIMITS.dark) return "dark";
  if (found.glare > LIMITS.documentGlare) return "glare";
  if (found.light > LIMITS.bright) return "bright";
  if (found.sharpness < LIMITS.documentSharpness) return "blur";
  return null;
}

export function adviceForSelfie(
  found: PictureFigures,
  faces: Face[],
  width: number,
  height: number,
  nearest = LIMITS.nearest,
): Key | null {
  const face = faces[0];
  if (!face) return found.light < LIMITS.dark ? "dark" : "noFace";
  const others = faces.slice(1).filter((each) => each.width * each.height > 0.25 * face.width * face.height);
  if (others.length) return "manyFaces";
  const share = face.height / height;
  if (share < LIMITS.farthest) return "closer";
  if (share > nearest) return "farther";
  const dx = (face.x + face.width / 2) / width - 0.5;
  const dy = (face.y + face.height / 2) / height - 0.5;
  if (Math.abs(dx) > LIMITS.offCentre || Math.abs(dy) > LIMITS.offCentre) return "centre";
  if (Math.abs(roll(face)) > LIMITS.tilted) return "level";
  if (Math.abs(turn(face)) > LIMITS.turned) return "straight";
  if (found.light < LIMITS.dark) return "dark";
  if (found.light > LIMITS.bright) return "bright";
  if (found.glare > LIMITS.selfieGlare) return "glare";
  if (found.sharpness < LIMITS.selfieSharpness) return "blur";
  return null;
}

/** Tilt of the line between the eyes, degrees. */
export function roll(face: Face): number {
  const [x1, y1, x2, y2] = face.points as [number, number, number, number];
  return (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
}

/** How far the nose lies off the middle of the eyes, in distances between the eyes: a sign of turning left or right. */
export function turn(face: Face): number {
  const [x1, y1, x2, y2, nose] = face.points as [number, number, number, number, number];
  const apart = Math.hypot(x2 - x1, y2 - y1);
  return apart ? (nose - (x1 + x2) / 2) / apart : 1;
}
