//! Orders for new numbers, and the stock that they are filled from.
