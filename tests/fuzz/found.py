"""What once failed, and is refused since then."""

FOUND = [
    ("data.yaml", b"names: [k,c\r\r\re]\n"),
    ("keys", b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK1VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
             b"-----END PUBLIC KEY-----\n"),
    ("counts", (b"SQLite format 3\0\2\0\0\0\0@  ".ljust(100, b"\0") + b"\r\0\0\0\1\0\0\0\0\xc9").ljust(201, b"\0")
     + 15 * b"\xff" + b"\0b" + bytes(295)),
    ("secret", "\x1ca.pn\ufeffgw".encode()),
    ("manifest", b"4\0\0\0"),
    ("manifest", '{"product":"mas\u2028k","format":1}'.encode()),
    ("fetch", b"HTTP/1.1 302 Found\r\nLocation: http://other.lanB7\xb999/manifest?a#b\r\n\r\n"),
    ("fetch", b"HTTP/1.1 302 Found\r\nLocation: /a\r\nTransfer-Encoding: chunked\r\n\r\n" + 20 * b"e" + b"\r\nok"),
    ("broker", b"\x20\x02/\1"),
]  # fmt: skip
