"""HTTP for people: the desk for cadres, the console for admins, the public pages."""
