// An OpenID provider for tests. Usage: node server.mjs '{"tokenLifetime": 3}'; prints {"issuer": "..."} when it serves.
// POST /test/rotate-keys gives it a new signing key; GET /test/grants counts the tokens granted by grant type.
import { createHash, generateKeyPairSync } from 'node:crypto';
import http from 'node:http';

import Provider, { errors } from 'oidc-provider';

const { tokenLifetime = 60, refreshLifetime = 3600, deviceInterval = 1, deviceLifetime = 60, refuse = '' } = JSON.parse(process.argv[2] ?? '{}');
const RESOURCE = 'urn:armada';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const secret = 'CANARY-client-secret-0123456789';
const person = { user: 'ada', password: 'CANARY-person-password-0123456789' };
const grants = {};
const resourceServer = {
  scope: 'jobs', audience: 'armada', accessTokenFormat: 'jwt', accessTokenTTL: tokenLifetime, jwt: { sign: { alg: 'RS256' } },
};

const machine = (id, method) => ({
  client_id: id, client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  token_endpoint_auth_method: method, scope: 'jobs',
});
const clients = [
  machine('machine', 'client_secret_basic'),
  machine('machine-post', 'client_secret_post'),
  {
    client_id: 'person', token_endpoint_auth_method: 'none', application_type: 'native', response_types: ['code'],
    redirect_uris: ['http://localhost/auth/callback'], scope: 'openid offline_access jobs',
    grant_types: ['authorization_code', 'refresh_token', DEVICE, 'password'],
  },
];

function configuration(authMethods) {
  return {
    clients,
    clientAuthMethods: authMethods,
    jwks: { keys: [signingKey()] },
    scopes: ['openid', 'offline_access', 'jobs'],
    cookies: { keys: ['for tests only'] },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (resource !== RESOURCE) throw new errors.InvalidTarget('unknown resource');
          return resourceServer;
        },
      },
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    issueRefreshToken: async (_, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    rotateRefreshToken: true,
    pkce: { required: () => true },
    ttl: { RefreshToken: refreshLifetime, DeviceCode: deviceLifetime, AccessToken: tokenLifetime, ClientCredentials: tokenLifetime },
  };
}

function signingKey() {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { ...key, use: 'sig', alg: 'RS256', kid: createHash('sha256').update(key.n).digest('hex').slice(0, 12) };
}

// The resource owner password grant is not part of the package, which leaves grants open to extension.
async function passwordGrant(provider, ctx) {
  const { username, password } = ctx.oidc.params;
  if (username !== person.user || password !== person.password) throw new errors.InvalidGrant('wrong user name or password');
  const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: username });
  const grantId = await grant.save();
  const token = new provider.AccessToken({
    accountId: username, client: ctx.oidc.client, grantId, gty: 'password', scope: 'jobs',
  });
  token.resourceServer = new provider.ResourceServer(RESOURCE, resourceServer);
  ctx.body = { access_token: await token.save(), expires_in: token.expiration, token_type: 'Bearer' };
}

function newProvider(issuer) {
  const provider = new Provider(issuer, configuration(['client_secret_basic', 'client_secret_post', 'none']));
  provider.registerGrantType('password', (ctx) => passwordGrant(provider, ctx), ['username', 'password', 'scope']);
  provider.on('grant.success', (ctx) => {
    const type = ctx.oidc.params.grant_type;
    grants[type] = (grants[type] ?? 0) + 1;
  });
  return provider;
}

let serve;
const server = http.createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/test/rotate-keys') {
    serve = newProvider(issuer).callback();
    response.end('{}');
  } else if (request.url === '/test/grants') {
    response.end(JSON.stringify(grants));
  } else if (refuse && request.url === '/token') {
    response.writeHead(503).end('<html>busy</html>');
  } else {
    serve(request, response);
  }
});
let issuer;
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  serve = newProvider(issuer).callback();
  console.log(JSON.stringify({ issuer }));
});
// The parent's end of this pipe closes when it dies, however it dies.
process.stdin.resume().on('end', () => process.exit(0));
