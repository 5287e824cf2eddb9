"""The database of a workspace: schema, migrations, engines, transactions, and what is stored."""
