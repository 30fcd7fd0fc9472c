// In place of the camera: somebody who reads the page's prompts and does what they ask, or does not.
// `actor` is put before this: {mode, width, height, pictures: {rest, mask, yaw: [[degrees, jpeg]], ...}}, base64.
(() => {
  const { mode, width, height, pictures } = actor;
  const REACTION = 450; // milliseconds from a prompt to the movement
  const LASTS = 1500;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const decode = (text, type) => createImageBitmap(new Blob([bytes(text)], { type }));
  const sheet = (w, h) => Object.assign(document.createElement("canvas"), { width: w, height: h });

  const noise = (w, h) => {
    const made = sheet(w, h);
    const context = made.getContext("2d");
    const data = context.createImageData(w, h);
    for (let at = 0; at < data.data.length; at += 4) {
      const value = Math.random() + Math.random() + Math.random() - 1.5;
      data.data.fill(value > 0 ? 255 : 0, at, at + 3);
      data.data[at + 3] = Math.min(255, Math.abs(value) * 22);
    }
    context.putImageData(data, 0, 0);
    return made;
  };

  // What the person sees of the page: the prompt that is shown, and the colour that lights the room.
  const prompt = () => document.querySelector(".prompt")?.dataset.action ?? "";
  const light = () => {
    const screen = document.querySelector(".colours:not([hidden])");
    return screen ? getComputedStyle(screen).backgroundColor : "";
  };

  const stream = async () => {
    const bank = {};
    for (const [name, rows] of Object.entries(pictures.moves)) {
      bank[name] = [];
      for (const [amount, text] of rows) bank[name].push([amount, await decode(text, "image/jpeg")]);
    }
    const mask = await decode(pictures.mask, "image/png");
    const grain = [noise(width + 64, height + 64), noise(width + 64, height + 64)];
    const canvas = sheet(width, height);
    const context = canvas.getContext("2d");
    const lit = sheet(width, height);
    const litContext = lit.getContext("2d");
    const begun = performance.now();
    let asked = "";
    let since = 0;
    const colours = [];

    const acting = (now) => {
      if (mode === "still") return ["rest", 1];
      if (mode === "loop") {
        // recorded once, four seconds, played again and again
        const phase = (now - begun) % 4000;
        const names = ["turn_left", "nod", "smile", "turn_right"];
        return [names[Math.floor(phase / 1000)], Math.sin((Math.PI * (phase % 1000)) / 1000)];
      }
      if (prompt() !== asked) [asked, since] = [prompt(), now];
      if (!asked) return ["rest", 1];
      const phase = (now - since - REACTION) / LASTS;
      const amount = phase > 0 && phase < 1 ? Math.sin(Math.PI * phase) : 0;
      return [asked, asked === "blink" ? Math.min(1, 3 * amount) : amount];
    };

    const draw = () => {
      const now = performance.now();
      const [name, amount] = acting(now);
      const rows = bank[name] ?? bank.rest;
      const chosen = rows.reduce((best, row) => (Math.abs(row[0] - amount) < Math.abs(best[0] - amount) ? row : best));
      const picture = bank[name] && amount > rows[0][0] / 2 ? chosen[1] : bank.rest[0][1];
      const scale = name === "closer" ? 1 + 0.32 * amount : 1;
      const hand = mode === "loop" ? 0 : now / 1000; // the one who plays a loop puts the device down
      const x = 2.5 * Math.sin(1.9 * hand) + 1.2 * Math.sin(5.3 * hand);
      const y = 2.1 * Math.sin(1.3 * hand + 1) + 1.1 * Math.sin(6.1 * hand);
      const [w, h] = [width * 1.03 * scale, height * 1.03 * scale];
      context.drawImage(picture, (width - w) / 2 + x, (height - h) / 2 + y, w, h);
      colours.push([now, light()]);
      while (colours.length > 1 && colours[1][0] <= now - 80) colours.shift(); // screen and camera take their time
      const colour = mode === "loop" ? "" : colours[0][1];
      if (colour) {
        litContext.globalCompositeOperation = "copy";
        litContext.drawImage(canvas, 0, 0);
        litContext.globalCompositeOperation = "multiply";
        litContext.fillStyle = colour;
        litContext.fillRect(0, 0, width, height);
        litContext.globalCompositeOperation = "destination-in";
        litContext.drawImage(mask, 0, 0);
        context.globalCompositeOperation = "lighter";
        context.globalAlpha = 0.22;
        context.drawImage(lit, 0, 0);
        context.globalAlpha = 1;
        context.globalCompositeOperation = "source-over";
      }
      const own = grain[Math.random() < 0.5 ? 0 : 1];
      context.drawImage(own, -Math.random() * 64, -Math.random() * 64);
    };
    draw();
    setInterval(draw, 80);
    return canvas.captureStream(15);
  };

  let only = null;
  navigator.mediaDevices.getUserMedia = async () => (await (only ??= stream())).clone();
})();
