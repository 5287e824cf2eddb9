"""The database of a workspace: schema, migrations, transactions, and what is read and written."""
