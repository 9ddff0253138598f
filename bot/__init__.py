"""mevkit: finds, proves and lands atomic trades on borrowed capital."""
