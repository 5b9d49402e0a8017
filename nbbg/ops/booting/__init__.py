"""`nbbg resume --at-boot`: going on after a reboot, by systemd or cron, without a daemon of ours."""
