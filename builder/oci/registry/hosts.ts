/** What registries are called: by people, by files of credentials, on the network. */

/** Docker's own has one name in those of images and another one on the network. */
const DOCKER = "docker.io";
const DOCKER_API = "registry-1.docker.io";

/** Host and port that answer for a registry. */
export const apiHost = (host: string): string => (host === DOCKER ? DOCKER_API : host);

/** What a registry is called where credentials are kept, the usual name first. */
export function credentialNames(host: string): readonly string[] {
  if (host !== DOCKER && host !== DOCKER_API) return [host];
  return ["https://index.docker.io/v1/", DOCKER, "index.docker.io", DOCKER_API];
}

/** Whether only this machine can answer under a name, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || /^127(\.\d{1,3}){3}$/.test(name) || name === "::1";
}
