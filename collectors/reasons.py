"""Why nothing could be connected to, in words that name the mend."""

import errno
import socket
import ssl

_WORDS = {
    ConnectionRefusedError: "connection refused: nothing listens there; check the port",
    ConnectionResetError: "it hung up at once; check what is spoken there, and who may connect",
    TimeoutError: "no answer to the connection in time; check the address and the way to it",
    socket.gaierror: "no such name; check its spelling, and that this machine can look it up",
}
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


_HOST_MISMATCH, _IP_MISMATCH = 62, 64
_MISTRUST = {
    10: "it has expired; have it renewed, and check this machine's clock",
    9: "it is not valid yet; check this machine's clock and the certificate",
    _HOST_MISMATCH: "it is for another name; write the name that it has as the host, or have it renewed",
    _IP_MISMATCH: "it is not for this address; write the name that it has as the host, or have it renewed",
}
"""By the codes of X509_V_ERR in OpenSSL."""


def in_words(error: BaseException) -> str:
    """What an attempt to connect came to; what the operating system says of rarer cases as it is."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, ssl.SSLCertVerificationError):
        mend = _MISTRUST.get(error.verify_code, "tls_ca must name the file of the authority that signed it")
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}: {mend}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        if error.errno in _NO_WAY:
            return "no way there from this machine; check the address, the network and the routes"
        if error.errno == errno.ENOTTY:
            return "that is no serial line; check the path"
        if error.filename and error.strerror:
            return f"{error.filename}: {error.strerror.lower()}; check the path and its permissions"
    return str(error) or type(error).__name__


def behind(error: BaseException) -> BaseException:
    """What the operating system said, where a library made an error of its own of it; else the error."""
    origin = error.__cause__ or error.__context__
    return origin if isinstance(origin, OSError) and not isinstance(origin, TimeoutError) else error
