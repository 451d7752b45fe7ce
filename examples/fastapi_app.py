"""FastAPI: `uvicorn fastapi_app:app`. Starlette takes the lifespan and the middleware in the same way."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from flags import statsig

from statsig_fastly.web.asgi import FlushAfterResponse


@asynccontextmanager
async def lifespan(_app):
    # uvicorn ends its process without Python's exit handlers: here it still sends what is left.
    async with statsig:
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(FlushAfterResponse, statsig=statsig)


@app.get("/{user_id}")
async def home(user_id: str):
    return {"new": statsig.check_gate(user_id, "test_fastly")}
