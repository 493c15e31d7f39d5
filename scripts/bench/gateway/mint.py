"""A fresh ES256 key, its public half as PEM and JWKS, and a token with the claims that auth signs."""
import base64
import json
import sys
import time
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

work, issuer = sys.argv[1:3]
key = ec.generate_private_key(ec.SECP256R1())
public = key.public_key()
numbers = public.public_numbers()


def coordinate(number):
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


jwk = {
    "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "bench",
    "x": coordinate(numbers.x), "y": coordinate(numbers.y),
}
now = int(time.time())
claims = {
    "iss": issuer, "aud": "brainops", "sub": str(uuid.uuid4()), "org": str(uuid.uuid4()), "sid": str(uuid.uuid4()),
    "role": "owner", "scope": "users:read users:write organizations:read members:read", "amr": ["pwd"],
    "auth_time": now, "iat": now, "nbf": now, "exp": now + 3600, "jti": str(uuid.uuid4()),
}
token = jwt.encode(claims, key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "bench"})
pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
with open(f"{work}/public.pem", "wb") as out:
    out.write(pem)
with open(f"{work}/jwks.json", "w") as out:
    json.dump({"keys": [jwk]}, out)
with open(f"{work}/token", "w") as out:
    out.write(token)
