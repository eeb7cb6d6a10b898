s3_up() { :; }
s3_down() { :; }
s3_status() { :; }
