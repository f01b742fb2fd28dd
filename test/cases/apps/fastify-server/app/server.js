const fastify = require("fastify")({ logger: true });

fastify.get("/hello/:name", async ({ params }) => ({ hello: params.name }));

fastify.listen({ port: 0, host: "127.0.0.1" }).then(async (address) => {
  const answer = await fetch(`${address}/hello/world`);
  console.log(await answer.text());
  await fastify.close();
});
