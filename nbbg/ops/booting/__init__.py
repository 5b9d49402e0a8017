"""`nbbg resume --at-boot`: going on after a reboot, by systemd or cron; no daemon is ours."""
