"""Where the settings of a site come from: connection fields, armadactl's file, Lookout; and what is wrong there."""
