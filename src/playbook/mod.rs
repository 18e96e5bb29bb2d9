//! Playbook text to playbook tree: pure, every problem located and all of them reported together.
