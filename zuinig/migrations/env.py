"""Run by Alembic, online only: the database is at hand wherever the service is."""

import os

import sqlalchemy as sa
from alembic import context

from zuinig.core.db import is_ours
from zuinig.core.tables import Base

url = os.environ.get("ZUINIG_ALEMBIC_URL") or context.config.get_main_option("sqlalchemy.url")
engine = sa.create_engine(url or "sqlite://")
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=lambda name, kind, _: is_ours(name, kind),
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
