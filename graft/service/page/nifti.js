// Reads the NIfTI files that the service sends: 8 bits, grey or RGB, compressed, with an sform.

const GREY = 2;
const RGB = 128;

/** Inflates and reads a file: {size, spacing, affine, channels, voxels}. */
export async function readNifti(compressed) {
  const inflated = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(inflated).arrayBuffer();
  const header = new DataView(buffer);
  const type = header.getInt16(70, true);
  if (header.getInt32(0, true) !== 348 || (type !== GREY && type !== RGB)) {
    throw new Error("the service sent no picture that this page can show");
  }
  const size = [1, 2, 3].map((axis) => Math.max(header.getInt16(40 + 2 * axis, true), 1));
  const affine = [0, 1, 2].map((row) =>
    [0, 1, 2, 3].map((column) => header.getFloat32(280 + 16 * row + 4 * column, true)));
  const spacing = [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => row[axis])));
  const voxels = new Uint8Array(buffer, header.getFloat32(108, true));
  return {size, spacing, affine, channels: type === RGB ? 3 : 1, voxels};
}

/** The position in mm, RAS+, of a voxel index. */
export function toMm(affine, index) {
  return affine.map((row) =>
    row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3]);
}
