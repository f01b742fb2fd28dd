import sharp from "sharp";

const create = { width: 64, height: 32, channels: 3, background: "red" };
const png = await sharp({ create }).png().toBuffer();
const { format, width, height } = await sharp(png).rotate(90).metadata();
console.log(format, width, height, png.subarray(1, 4).toString());
