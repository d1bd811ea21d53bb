"""Ableton Live, through AbletonOSC (https://github.com/ideoforms/AbletonOSC)."""
