import colors from "picocolors";

export const greet = (name) => colors.createColors(false).bold(`Hello ${name}`);
