"""The accuracy page: real runs, replayed, and what each replay missed."""
