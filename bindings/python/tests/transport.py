"""HTTP as an app would bring it: blocking, streamed, trusting the authority that it is told to trust."""

import http.client
import ssl
import urllib.parse

import outrider as crm


class Body(crm.HttpBody):
    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        self.connection, self.answer, self.is_ended = connection, answer, False
        self.failure: Exception | None = None

    def read(self, max: int) -> bytes:
        if self.failure:
            raise self.failure
        try:
            return self.answer.read1(max)
        except (OSError, http.client.HTTPException) as error:
            raise crm.PlatformError.Unreachable(str(error)) from error

    def end(self) -> None:
        self.is_ended = True
        self.connection.close()


class Transport(crm.HttpTransport):
    """It counts what it sends, and a test can cut it."""

    def __init__(self) -> None:
        self.calls: list[crm.HttpCall] = []
        self.bodies: list[Body] = []
        self.failure: Exception | None = None
        self.body_failure: Exception | None = None

    def send(self, call: crm.HttpCall) -> crm.HttpAnswer:
        self.calls.append(call)
        if self.failure:
            raise self.failure
        parts = urllib.parse.urlsplit(call.url)
        try:
            connection = self.connection(call, parts)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            headers = {header.name: header.value for header in call.headers}
            connection.request(call.method, path, call.body or None, headers)
            answer = connection.getresponse()
        except ssl.SSLError as error:
            raise crm.PlatformError.Untrusted(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise crm.PlatformError.Unreachable(str(error)) from error
        self.bodies.append(Body(connection, answer))
        self.bodies[-1].failure = self.body_failure
        said = [crm.HttpHeader(name=name, value=value) for name, value in answer.getheaders()]
        return crm.HttpAnswer(status=answer.status, headers=said, body=self.bodies[-1])

    def connection(self, call: crm.HttpCall, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        silence_seconds = call.silence_ms / 1000
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc, timeout=silence_seconds)
        trust = ssl.create_default_context()
        if call.accepts_any_certificate:
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        elif call.authority is not None:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.load_verify_locations(cadata=call.authority)
        return http.client.HTTPSConnection(parts.netloc, timeout=silence_seconds, context=trust)
