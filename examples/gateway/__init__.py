"""consentgate in front of sites that are not Python: WordPress, Node-RED and a folder of files."""
