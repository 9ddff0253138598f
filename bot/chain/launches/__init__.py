"""What a newly launched token and its pool are like, found out by simulation: can it be sold, who may change that."""
