/** The camera of this device, and pictures from it. */

/** Milliseconds after which a shot is taken even if no new frame was told of. */
const STALE = 400;

export class Camera {
  private shown = 0;
  private taken = -1;
  private takenAt = 0;

  private constructor(
    readonly video: HTMLVideoElement,
    private readonly stream: MediaStream,
  ) {
    const count = (): void => {
      this.shown += 1;
      if (stream.active) video.requestVideoFrameCallback(count);
    };
    // browsers pause what leaves the document, and a redrawn step takes it out for a moment
    video.addEventListener("pause", () => {
      if (stream.active && video.srcObject) void video.play().catch(() => undefined);
    });
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(count);
    else this.taken = -2; // not told by this browser
  }

  static async open(facing: "user" | "environment"): Promise<Camera> {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: { ideal: facing }, width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    await video.play();
    return new Camera(video, stream);
  }

  /** A small copy of what is seen now, its longer side at most `side`. */
  look(side: number): ImageData | null {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const scale = Math.min(1, side / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) return null;
    context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  /** What is seen now, as a JPEG at full size. */
  async picture(): Promise<Blob> {
    const canvas = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  }

  /** Whether the camera has shown another frame since the last shot, as far as the browser tells. */
  isFresh(): boolean {
    return this.taken === -2 || this.shown !== this.taken || performance.now() - this.takenAt > STALE;
  }

  /** What is seen now, as a small JPEG; drawn at once, encoded later. */
  shot(side: number): Promise<Blob> {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, side / Math.max(width, height, 1));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    canvas.getContext("2d")?.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    if (this.taken !== -2) this.taken = this.shown;
    this.takenAt = performance.now();
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
  }

  /** What the browser says about this camera. */
  says(): { camera: string; width: number; height: number } {
    const track = this.stream.getVideoTracks()[0];
    const settings = track?.getSettings() ?? {};
    return { camera: (track?.label ?? "").slice(0, 200), width: settings.width ?? 0, height: settings.height ?? 0 };
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
