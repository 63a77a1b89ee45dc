// A real OpenID Connect provider for the tests: any login name is let in, and is who it says; its groups come by GROUPS.
import Provider from "oidc-provider";

const [port, callback] = process.argv.slice(2);
const groups = JSON.parse(process.env.GROUPS);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: "zuinig", client_secret: "for-tests", redirect_uris: [callback] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups"], email: ["email"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id.split("#")[0], name: `${id} of the provider`, groups: groups[id] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
