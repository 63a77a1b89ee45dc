from fastapi import FastAPI

from zuinig.core.settings import Settings


def install(app: FastAPI, settings: Settings) -> None:
    pass
