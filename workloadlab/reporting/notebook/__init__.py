"""What an object shows in a notebook: one screen of HTML, and a trace's figures one by one."""
