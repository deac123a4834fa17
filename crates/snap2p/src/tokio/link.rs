//! What the task and the handles of one session share.
