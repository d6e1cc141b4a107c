// Draws slices of a scan with a cross and a map, and moves the cross by mouse and keyboard.
// Rows are shown from anterior to posterior, and the patient's right is on the left.

import {toMm} from "./nifti.js";

const MOST_PX = 640;  // height and width on the screen
const LEAP = 10;
// Evidence for and against, as in the reports: violet and orange differ for all kinds of colour
// vision.
const FOR = [0.7, 0.4, 1];
const AGAINST = [1, 0.55, 0];
const CROSS_GAP = 6;
const CROSS_ARM = 14;

export class Viewer {
  /** onMove is called with the position whenever the cross or the slice changed. */
  constructor(canvas, onMove, onChoose) {
    this.canvas = canvas;
    this.onMove = onMove;
    this.scan = null;
    this.map = null;
    this.opacity = 0.6;
    canvas.addEventListener("click", (event) => this.point(event) && onChoose());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.move(0, 0, event.deltaY > 0 ? -1 : 1);
    }, {passive: false});
    canvas.addEventListener("keydown", (event) => this.press(event, onChoose));
  }

  show(scan, isPicture) {
    this.scan = scan;
    this.map = null;
    this.isPicture = isPicture;
    this.isChosen = isPicture;  // whether the cross is where a person put it
    this.cross = scan.size.map((count) => Math.floor((count - 1) / 2));
    const [columns, rows] = scan.size;
    const aspect = (columns * scan.spacing[0]) / (rows * scan.spacing[1]);
    const width = Math.round(Math.min(MOST_PX, MOST_PX * aspect));
    this.canvas.width = width;
    this.canvas.height = Math.round(width / aspect);
    this.plane = new OffscreenCanvas(columns, rows);
    this.move(0, 0, 0);
  }

  showMap(map) {
    this.map = map;
    this.draw();
  }

  get position() {
    return toMm(this.scan.affine, this.cross);
  }

  /** Moves the cross by voxels along R, A and S. */
  move(right, front, up) {
    if (!this.scan) return;
    const steps = [right, front, up];
    this.cross = this.cross.map((index, axis) =>
      Math.min(Math.max(index + steps[axis], 0), this.scan.size[axis] - 1));
    this.draw();
    this.onMove();
  }

  goToSlice(number) {
    this.move(0, 0, number - this.cross[2]);
  }

  press(event, onChoose) {
    const far = event.shiftKey ? LEAP : 1;
    const moves = {
      ArrowLeft: [far, 0, 0], ArrowRight: [-far, 0, 0],
      ArrowUp: [0, far, 0], ArrowDown: [0, -far, 0],
      PageUp: [0, 0, far], PageDown: [0, 0, -far],
    };
    if (this.isPicture) {
      moves.ArrowLeft = [-far, 0, 0];
      moves.ArrowRight = [far, 0, 0];
    }
    if (event.key in moves) {
      this.isChosen = true;
      this.move(...moves[event.key]);
    } else if (event.key === "Enter") onChoose();
    else return;
    event.preventDefault();
  }

  /** Puts the cross where the mouse is; false if there is no scan. */
  point(event) {
    if (!this.scan) return false;
    const box = this.canvas.getBoundingClientRect();
    const [columns, rows] = this.scan.size;
    const across = Math.floor((event.clientX - box.left) / box.width * columns);
    const down = Math.floor((event.clientY - box.top) / box.height * rows);
    const column = this.isPicture ? across : columns - 1 - across;
    this.isChosen = true;
    this.move(column - this.cross[0], rows - 1 - down - this.cross[1], 0);
    return true;
  }

  draw() {
    const {canvas, scan} = this;
    const context = canvas.getContext("2d");
    const [columns, rows] = scan.size;
    const plane = this.plane.getContext("2d");
    plane.putImageData(this.blend(), 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.plane, 0, 0, canvas.width, canvas.height);
    if (this.isPicture) return;
    const x = (columns - 1 - this.cross[0] + 0.5) / columns * canvas.width;
    const y = (rows - 1 - this.cross[1] + 0.5) / rows * canvas.height;
    for (const [colour, width] of [["#000", 4], ["#ffd400", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * CROSS_GAP, y + dy * CROSS_GAP);
        context.lineTo(x + dx * CROSS_ARM, y + dy * CROSS_ARM);
      }
      context.stroke();
    }
    this.drawSides(context);
  }

  /** The patient's right and left, anterior and posterior. */
  drawSides(context) {
    const {width, height} = this.canvas;
    context.font = "bold 16px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = "#ffd400";
    context.strokeStyle = "#000";
    const sides = [["R", 14, height / 2], ["L", width - 14, height / 2],
      ["A", width / 2, 14], ["P", width / 2, height - 14]];
    for (const [letter, x, y] of sides) {
      context.lineWidth = 3;
      context.strokeText(letter, x, y);
      context.fillText(letter, x, y);
    }
  }

  /** The pixels of the slice, with the map over them. */
  blend() {
    const {size: [columns, rows], voxels, channels} = this.scan;
    const picture = new ImageData(columns, rows);
    const start = this.cross[2] * columns * rows;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const shown = this.isPicture ? column : columns - 1 - column;
        const at = 4 * ((rows - 1 - row) * columns + shown);
        const voxel = start + row * columns + column;
        const heat = this.map ? (this.map.voxels[voxel] - 128) / 127 : 0;
        const kept = 1 - this.opacity * Math.abs(heat);
        const added = 255 * this.opacity * Math.abs(heat);
        const colour = heat > 0 ? FOR : AGAINST;
        for (let channel = 0; channel < 3; channel++) {
          const value = voxels[channels === 3 ? 3 * voxel + channel : voxel];
          picture.data[at + channel] = kept * value + added * colour[channel];
        }
        picture.data[at + 3] = 255;
      }
    }
    return picture;
  }
}
