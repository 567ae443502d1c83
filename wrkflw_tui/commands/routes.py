"""What can be asked of `wrkflw-tui serve`, in words."""

ROUTES = """\
requests, JSON in and out, each with `Authorization: Bearer TOKEN`:
  GET  /workflows
  POST /workflows/ID/runs[?wait=SECONDS]   the body is the input; with the
                                           header Idempotency-Key only once
  GET  /runs[?workflow=&status=&limit=&before=]
  GET  /runs/RUN
  GET  /runs/RUN/logs[?after=&limit=]
  POST /runs/RUN/cancel
  POST /runs/RUN/answer[?path=&key=]       the body is the answer
  POST /runs/RUN/events/NAME               the body is the payload
  GET  /health                             needs no token

It speaks plain HTTP: put a proxy with TLS before it, or a tunnel, where others
than this machine are to reach it.
"""
