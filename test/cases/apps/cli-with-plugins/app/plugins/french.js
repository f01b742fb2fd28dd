export const greet = (name) => `Bonjour ${name}`;
