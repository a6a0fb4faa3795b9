"""Connects the channel `http` to an SMS service: forwards messages to it, and reports what became of them.

Run `uvicorn --app-dir examples sms_bridge:app` with the variables below; `/messages` is the channel's URL (docs/messages.md).
"""

import hmac
import json
import os
import sqlite3
import time
from base64 import b64decode, b64encode

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

KEY = b64decode(os.environ["REFERRALS_HTTP_MESSAGES_SECRET"].removeprefix("whsec_"))
REFERRALS, SMS = os.environ["REFERRALS_PUBLIC_URL"], os.environ["SMS_URL"]
TOKEN = {
    "Authorization": os.environ["SMS_TOKEN"]
}  # of requests to the service and of its callbacks
STATUSES = {"sent": "sent", "delivered": "delivered", "lost": "failed", "stop": "opted_out"}
REASONS = {"invalid_number": "unreachable", "no_credit": "blocked"}

app, http = FastAPI(), httpx.AsyncClient(timeout=10)
sent = sqlite3.connect(os.environ.get("SMS_DATABASE", "sms.db"), isolation_level=None)
sent.execute("CREATE TABLE IF NOT EXISTS sent (key TEXT PRIMARY KEY, reference TEXT)")


def sign(message_id: str, timestamp: str, body: bytes) -> str:
    digest = hmac.digest(KEY, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{b64encode(digest).decode()}"


@app.post("/messages")
async def send(request: Request) -> JSONResponse:
    """Send one SMS per key. The key is stored before the call, so that a crash sends nothing twice."""
    body, headers = await request.body(), request.headers
    expected = sign(headers["webhook-id"], headers["webhook-timestamp"], body)
    is_old = abs(time.time() - int(headers["webhook-timestamp"])) > 300  # noqa: PLR2004
    if is_old or not hmac.compare_digest(expected, headers["webhook-signature"]):
        raise HTTPException(401)
    message = json.loads(body)
    key, phone, text = message["key"], message["recipient"]["phone"], message["text"]
    if phone is None:
        return JSONResponse({"reason": "refused", "message": "There is no phone number."}, 422)
    if not sent.execute("INSERT OR IGNORE INTO sent (key) VALUES (?)", [key]).rowcount:
        (reference,) = sent.execute("SELECT reference FROM sent WHERE key = ?", [key]).fetchone()
        return JSONResponse({"reference": reference}, 409 if reference else 500)
    if message["purpose"] == "marketing":
        text = f"{text} {message['unsubscribe_url']}"
    sms = {"to": phone, "text": text, "client_reference": key}
    response = await http.post(f"{SMS}/sms", json=sms, headers=TOKEN)
    if response.is_client_error:  # certainly not sent
        sent.execute("DELETE FROM sent WHERE key = ?", [key])
        reason = REASONS.get(response.json()["error"])
        return JSONResponse({"reason": reason} if reason else {}, response.status_code)
    reference = response.raise_for_status().json()["id"]
    sent.execute("UPDATE sent SET reference = ? WHERE key = ?", [reference, key])
    return JSONResponse({"reference": reference})


@app.post("/sms-status")
async def report(request: Request) -> None:
    """Pass a status of the SMS service on. The service repeats what is not answered with 200."""
    if not hmac.compare_digest(request.headers.get("Authorization", ""), TOKEN["Authorization"]):
        raise HTTPException(401)
    sms, timestamp = await request.json(), str(int(time.time()))
    status = {"key": sms["client_reference"], "reference": sms["id"]}
    status["status"] = STATUSES[sms["status"]]
    if error := sms.get("error"):
        status["reason"] = REASONS.get(error, "refused")
    body = json.dumps(status).encode()
    headers = {"webhook-id": sms["id"], "webhook-timestamp": timestamp}
    headers["webhook-signature"] = sign(sms["id"], timestamp, body)
    response = await http.post(f"{REFERRALS}/hooks/messages", content=body, headers=headers)
    response.raise_for_status()
